"""A contract in words, and differences of contracts as they are written: for screens, for contract files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lossvet.verify.contract import Contract
from lossvet.verify.facets import facets

DEFAULT = "the mean over the batch of the softmax cross-entropy of logits"


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
        numbers = [n for n in facet.numbers if n in departing]
        if facet.name not in departing:
            if numbers:  # they have no effect there, and are not passed over in silence
                value = _with_numbers(contract, facet.default, numbers)
                yield Told(
                    facet.name, value, f"{', '.join(numbers)} has no effect while {facet.name} is {facet.default}."
                )
            continue
        setting = contract[facet.name]
        for value in setting if isinstance(setting, tuple) else (str(setting),):
            end = f" ({', '.join(f'{n} {contract.number(n):g}' for n in numbers)})" if numbers else ""
            sentence = f"The loss {facet.value(value).says}{end}."
            yield Told(facet.name, _with_numbers(contract, value, numbers), sentence, facet.edge)


def _with_numbers(contract: Contract, value: str, numbers: list[str]) -> str:
    """ "added 1e-07"; by name where there are several."""
    if len(numbers) == 1:
        return f"{value} {contract.number(numbers[0]):g}"
    return " ".join([value, *(f"{n}={contract.number(n):g}" for n in numbers)])
