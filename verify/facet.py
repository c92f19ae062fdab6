"""What a facet is: one question about what a loss means, with the answers that it can have and the words for each."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Value:
    """One answer to the question that a facet asks.

    `says` completes "the loss ..."; `training` says what that does to training, against the facet's default; `change`
    says how to write a loss that has this value, in words and, where there is one, in a line of code.
    """

    name: str
    says: str
    training: str
    change: str


@dataclass(frozen=True)
class Example:
    """The smallest batch on which values of the facet part, for the reader: two rows, or as many as it takes.

    `logits` [N, C], or probabilities where `settings` has them as the input; `labels` [N] integers, or [N, C];
    `weights` by role, such as {"class_weight": (1.0, 4.0)}, a cost matrix by rows. `losses` holds what the loss is
    under some values of the facet, computed by the contract with that value and `settings` (a test compares).
    """

    logits: tuple[tuple[float, ...], ...]
    labels: tuple[int, ...] | tuple[tuple[float, ...], ...]
    weights: dict[str, tuple[float, ...] | tuple[tuple[float, ...], ...]]
    losses: dict[str, float]
    settings: dict[str, str | float | tuple[str, ...]] = field(default_factory=dict)
    """Other facets and numbers, the same for all losses of the example; where it is empty, the defaults."""


@dataclass(frozen=True)
class Facet:
    """A file in `facets/` makes exactly one, named as the file is. `values[0]` is the default.

    `numbers` are the numbers that belong to it ("clip_epsilon"). An `edge` facet is reported, and alone never turns
    "same" into "different".
    """

    name: str
    asks: str
    values: tuple[Value, ...]
    example: Example | None = None
    numbers: tuple[str, ...] = ()
    edge: bool = False

    @property
    def default(self) -> str:
        return self.values[0].name

    def value(self, name: str) -> Value:
        """Raises KeyError, naming those there are, where the facet has no such value."""
        for value in self.values:
            if value.name == name:
                return value
        raise KeyError(f"{self.name} has no value {name!r}; it has: {', '.join(v.name for v in self.values)}")
