"""A user loss as `--loss` names it: where it is found in both checkouts, and what it is stated to be."""

from __future__ import annotations

from dataclasses import dataclass, field

from lossvet.reference import variants
from lossvet.reference.types import REDUCTIONS, Reduction
from lossvet.verify import sources
from lossvet.verify.binding import Options as BindingOptions
from lossvet.verify.sources import FileSource, ModuleSource, SourceError, near

FORM = "FRAMEWORK=MODULE:FUNCTION, such as FRAMEWORK=mylib.losses:weighted_ce"
TIMEOUT = 60.0


@dataclass(frozen=True)
class UserLoss:
    """A function of both sides. `variant` and `reduction` are what it is said to be, empty where nothing is said.

    `binding` is what the user says of its parameters, `timeout` the seconds that one call may take.
    """

    source: FileSource | ModuleSource
    variant: str = ""
    reduction: Reduction | None = None
    binding: BindingOptions = field(default_factory=BindingOptions)
    timeout: float = TIMEOUT

    @property
    def framework(self) -> str:
        return self.source.framework

    @property
    def where(self) -> str:
        """What messages say is, or is not, in a side."""
        return self.source.module if isinstance(self.source, ModuleSource) else self.source.path

    @property
    def claimed(self) -> str:
        """ "sparse_class_weight/weighted_mean"."""
        return "/".join(filter(None, (self.variant, self.reduction or "")))


def parsed(text: str) -> UserLoss:
    """The loss that FRAMEWORK[/VARIANT[/REDUCTION]]=MODULE:FUNCTION names; MODULE may be path/file.py: with two colons.

    Raises ValueError where it names none.
    """
    what, equals, where = text.partition("=")
    framework, *said = what.split("/")
    if not (equals and framework and where) or len(said) > 2:
        raise ValueError(f"--loss {text}: expected {FORM}")
    try:
        source = sources.parse(f"{framework}:{where}")
    except SourceError as error:
        raise ValueError(f"--loss {text}: {error}; expected {FORM}") from None
    if not isinstance(source, FileSource | ModuleSource):
        raise ValueError(f"--loss {text}: expected {FORM}")
    variant, reduction = (*said, "", "")[:2]
    if said and variant not in variants.names():
        hint = near(variant, variants.names(), 20)
        raise ValueError(f"--loss {text}: no such variant: {variant!r}{hint}; without a variant the loss is identified")
    return UserLoss(source, variant, _reduction(text, variant, reduction))


def _reduction(text: str, variant: str, said: str) -> Reduction | None:
    if not said:
        return None
    known = variants.load(variant).reductions
    for one in REDUCTIONS:
        if one == said and one in known:
            found: Reduction = one
            return found
    raise ValueError(f"--loss {text}: {variant} has no reduction {said!r}; it has: {', '.join(known)}")
