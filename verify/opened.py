"""The two sides of a comparison, ready to answer: a loss in its worker, a contract by its meaning."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lossvet.verify import contract_file, variants
from lossvet.verify.binding import Options as BindingOptions
from lossvet.verify.contract import Contract, Setting, numbers
from lossvet.verify.options import Options, SideOptions
from lossvet.verify.questions import Side
from lossvet.verify.remote import Remote
from lossvet.verify.sides import ContractSide
from lossvet.verify.sources import ContractSource, SourceError, VariantSource, parse


@contextmanager
def opened(source: str, target: str, options: Options) -> Iterator[tuple[Side, Side]]:
    """Both sides, for as long as the context lasts; both workers start at once.

    Raises SourceError for what cannot be had, ContractFileError, OSError.
    """
    with ExitStack() as stack:
        found = [
            _side(stack, spec, side, options) for spec, side in ((source, options.source), (target, options.target))
        ]
        for side in found:
            if isinstance(side, Remote):
                side.load()
        yield found[0], found[1]


def _side(stack: ExitStack, spec: str, side: SideOptions, options: Options) -> Side:
    match parse(spec):
        case ContractSource(path):
            return ContractSide(contract_file.read(Path(path)).contract)
        case VariantSource(variant, settings):
            return ContractSide(of_variant(variant, dict(settings)))
    return stack.enter_context(remote(spec, side, options))


def remote(spec: str, side: SideOptions, options: Options, stopped: Callable[[], bool] = lambda: False) -> Remote:
    """The worker of a function, which has begun to start. Raises SourceError for what is no function."""
    return Remote(
        spec,
        BindingOptions(side.bind, options.labels, options.classes, side.init, side.mode),
        python=side.python or sys.executable,
        folder=side.search[0] if side.search else ".",
        limit=options.timeout,
        stopped=stopped,
    )


def of_variant(variant: str, settings: Mapping[str, str]) -> Contract:
    """The contract of a variant with facets set otherwise, as text has them. Raises SourceError for what is no facet,
    no value or no number."""
    given: dict[str, Setting] = {}
    for name, value in settings.items():
        try:
            weighting = name == "weighting"
            given[name] = float(value) if name in numbers() else tuple(value.split(",")) if weighting else value
        except ValueError:
            raise SourceError("spec", f"{name}={value}: expected a number") from None
    try:
        return variants.contract(variant).with_(given)
    except KeyError as error:
        raise SourceError("spec", f"variant:{variant}: {error.args[0]}") from None
