"""A contract: what a loss means, as a record of facets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property

from lossvet.verify.facets import facets

Setting = str | float | tuple[str, ...] | tuple[float, ...]


@dataclass(frozen=True)
class Contract:
    """The facets in which a loss departs from the default, and their numbers, as sorted pairs; all others have it.

    The default is the mean over the batch of the softmax cross-entropy of logits. `weighting` is a tuple of names, the
    numbers ("clip_epsilon") are floats, every other facet a string.
    """

    departures: tuple[tuple[str, Setting], ...] = ()

    @staticmethod
    def of(settings: Mapping[str, Setting] | None = None, **more: Setting) -> Contract:
        """The contract with these facets. Raises KeyError for an unknown facet, number or value."""
        return Contract._spelled({name: _checked(name, s) for name, s in {**(settings or {}), **more}.items()})

    @staticmethod
    def _spelled(checked: dict[str, Setting]) -> Contract:
        checked = _one_spelling(checked)
        defaults = _defaults()
        kept = {name: setting for name, setting in checked.items() if setting != defaults.get(name, setting)}
        kept |= {name: setting for name, setting in checked.items() if _owner(name) in kept}
        return Contract(tuple(sorted(kept.items())))

    @cached_property
    def _by_name(self) -> Mapping[str, Setting]:
        return dict(self.departures)

    @cached_property
    def _whole(self) -> Mapping[str, Setting]:
        return {**_defaults(), **self._by_name}

    def __getitem__(self, name: str) -> Setting:
        """Raises KeyError for an unknown name."""
        found = self._whole.get(name)
        return default(name) if found is None else found

    def __iter__(self) -> Iterator[str]:
        """The names that depart, in the order in which facets are told."""
        order = [*facets(), *numbers()]
        return iter(sorted(self._by_name, key=order.index))

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def value(self, name: str) -> str:
        """A facet that is a single string."""
        found = self[name]
        assert isinstance(found, str)
        return found

    def number(self, name: str) -> float:
        """A number of a facet. Raises KeyError where the contract has none."""
        found = self._by_name.get(name)
        if not isinstance(found, int | float):
            raise KeyError(f"the contract has no {name}")
        return float(found)

    @cached_property
    def weighting(self) -> tuple[str, ...]:
        found = self._by_name.get("weighting", ())
        return tuple(name for name in found if isinstance(name, str)) if isinstance(found, tuple) else ()

    def with_(self, settings: Mapping[str, Setting] | None = None, **more: Setting) -> Contract:
        """This contract with these facets as well. Raises KeyError for an unknown facet, number or value."""
        new = {name: _checked(name, s) for name, s in {**(settings or {}), **more}.items()}
        return Contract._spelled({**self._by_name, **new})

    def record(self) -> dict[str, str | float | list[str] | list[float]]:
        """What departs, as JSON and TOML have it; every facet that is reported stands in it by name."""
        return {name: list(s) if isinstance(s := self[name], tuple) else s for name in self}  # type: ignore[misc]  # a tuple of one kind


def _one_spelling(given: dict[str, Setting]) -> dict[str, Setting]:
    """One meaning, one spelling: identities that hold whatever the other facets are."""
    weighting = set(given.get("weighting", ()))  # type: ignore[arg-type]  # a tuple of names
    smooth = given.get("smoothing", "none") != "none"
    softmax = given.get("family") != "sigmoid"
    terms = smooth and softmax and given.get("smoothing_order", "terms") == "terms" and "class_weight" in weighting
    if "weighted_labels" in weighting or terms:
        weighting = weighting - {"weighted_labels", "class_weight"} | {"class_weight_terms"}
    if given.get("broadcast") == "outer":
        weighting = weighting - {"class_weight", "sample_weight", "mask"} | {"after_mean"}
        given = {**given, "broadcast": "aligned"}
    if given.get("ignored") == "leaking" and "ignored_label" not in given:  # of a mask, whose rows all count
        given = {**given, "counted": "all"}
    constants = given.get("constants")
    if given.get("denominator") == "weights" and isinstance(constants, tuple) and "denominator_guard" not in given:
        given = {**given, "constants": _ratios(constants)}
    if not smooth or "class_weight" not in weighting:
        given = {**given, "smoothing_order": "terms"}
    return {**given, "weighting": tuple(sorted(str(name) for name in weighting))}


UNITS = 99
"""Weights of which only the ratios matter were probably written with the smallest of them at most so many units."""


def _ratios(constants: tuple[str, ...] | tuple[float, ...]) -> tuple[float, ...]:
    """Weights up to the scale that a mean by weights does not show: the smallest one is 1."""
    weights = [float(w) for w in constants]
    least = min((w for w in weights if w > 0), default=1.0)
    if least == 1:
        return tuple(weights)
    for units in range(1, UNITS + 1):  # 3, 7 and 11 are 0.3, 0.7 and 1.1, whose own ratios are rounded otherwise
        counted = [w / least * units for w in weights]
        written = [float(f"{w:.6g}") for w in counted]
        if all(abs(a - b) <= 1e-12 * abs(a) for a, b in zip(counted, written, strict=True)):
            return tuple(w / units for w in written)
    return tuple(w / least for w in weights)


@cache
def numbers() -> tuple[str, ...]:
    """The names of all numbers that facets have."""
    return tuple(number for facet in facets().values() for number in facet.numbers)


@cache
def _defaults() -> Mapping[str, Setting]:
    return {name: default(name) for name in facets()}


@cache
def _owner(number: str) -> str:
    """The facet that a number belongs to; of a facet, nothing."""
    return next((facet.name for facet in facets().values() if number in facet.numbers), "")


def default(name: str) -> Setting:
    """The default of a facet; of a number 0.0, which no contract holds. Raises KeyError for an unknown name."""
    if name == "weighting":
        return ()
    if name in facets():
        return facets()[name].default
    if name in numbers():
        return 0.0
    raise KeyError(f"no such facet: {name!r}; the facets are: {', '.join(facets())}")


def _checked(name: str, setting: Setting | list[str]) -> Setting:
    if name == "constants" and isinstance(setting, tuple | list):
        return tuple(float(w) for w in setting)
    if name in numbers():
        if isinstance(setting, str | tuple | list):
            raise KeyError(f"{name} is {setting!r}; expected a number")
        return float(setting)
    if name not in facets():
        raise KeyError(f"no such facet: {name!r}; the facets are: {', '.join(facets())}")
    facet = facets()[name]
    if name == "weighting":
        names = [setting] if isinstance(setting, str) else list(setting)  # type: ignore[arg-type]  # no number gets here
        return tuple(sorted({facet.value(str(n)).name for n in names if n != "none"}))
    if not isinstance(setting, str):
        raise KeyError(f"{name} is {setting!r}; expected one of: {', '.join(v.name for v in facet.values)}")
    return setting if facet.edge else facet.value(setting).name
