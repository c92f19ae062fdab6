"""A contract in words, and differences of contracts as they are written: for screens, for contract files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from lossvet.verify.contract import Contract, Setting
from lossvet.verify.facet import Facet
from lossvet.verify.facets import facets

_LOSS = "the softmax cross-entropy of logits"
DEFAULT = f"the mean over the batch of {_LOSS}"


def otherwise(departing: Iterable[str]) -> str:
    """The default, without the mean where the denominator is among the facets that depart."""
    return _LOSS if "denominator" in departing else DEFAULT


@dataclass(frozen=True)
class Told:
    """A facet in which a contract departs: its value with its numbers ("added 1e-07"), and a sentence."""

    facet: str
    value: str
    sentence: str
    edge: bool = False


def told(contract: Contract) -> Iterator[Told]:
    """Every departure, in the order in which facets are told; one for each way of weighting."""
    departing = set(contract)
    for facet in facets().values():
        if facet.name not in departing:
            continue
        numbers = {n: number(contract[n]) for n in facet.numbers if n in departing}
        setting = contract[facet.name]
        for value in map(str, setting) if isinstance(setting, tuple) else (str(setting),):
            end = f" ({', '.join(f'{n} {x}' for n, x in numbers.items())})" if numbers else ""
            yield Told(facet.name, _with_numbers(value, numbers), f"{_does(facet, value)}{end}.", facet.edge)


def _does(facet: Facet, value: str) -> str:
    """What the loss does. An edge facet may have a value for each of several inputs, as in "too large: raises, -1:
    wraps, -100: raises"; inputs with the same value are told together."""
    by_value: dict[str, list[str]] = {}
    for part in value.split(", ") if facet.edge else (value,):
        name, _, one = part.rpartition(": ")
        by_value.setdefault(one, []).extend([name] if name else [])
    does = "; ".join(
        (f"{', '.join(names)}: " if names else "") + f"the loss {_one(facet, one)}" for one, names in by_value.items()
    )
    return f"{does[0].upper()}{does[1:]}"


def _one(facet: Facet, value: str) -> str:
    known = [v.says for v in facet.values if v.name == value]
    return known[0] if known else f"gives {value.replace('_', ' ')}"


def number(setting: Setting) -> str:
    """A number, or several, as a reader writes them."""
    if isinstance(setting, tuple):
        return f"[{', '.join(f'{x:g}' for x in setting if not isinstance(x, str))}]"
    return setting if isinstance(setting, str) else f"{setting:g}"


def _with_numbers(value: str, numbers: Mapping[str, str]) -> str:
    """ "added 1e-07"; by name where there are several."""
    if len(numbers) == 1:
        return f"{value} {next(iter(numbers.values()))}"
    return " ".join([value, *(f"{name}={x}" for name, x in numbers.items())])
