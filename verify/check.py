"""One loss compared with the golden results of a variant: bound, run case by case, judged as a run judges frameworks.

Only one reduction and its outputs are judged. Where a variant is undefined, a user loss documents nothing, so any
result agrees. A framework's own function is judged by what the framework documents, with its known deviations.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

import msgspec

from lossvet.reference import variants, vectors
from lossvet.reference.dtypes import WIDE
from lossvet.reference.types import Variant
from lossvet.reference.vectors import Golden
from lossvet.verify.answer import Identified
from lossvet.verify.answering import Answering
from lossvet.verify.binding import Options as BindingOptions
from lossvet.verify.bound import identify_bound
from lossvet.verify.check_remote import CheckRemote
from lossvet.verify.check_session import Session
from lossvet.verify.checked import Checked
from lossvet.verify.options import Options
from lossvet.verify.sources import FileSource, ModuleSource, SourceError, near, parse
from lossvet.workers import caches
from lossvet.workers.messages import Hello


def check(
    spec: str, variant: str, reduction: str = "", options: Options | None = None, only: Sequence[str] = ()
) -> Checked:
    """Judge the loss of `spec` as `variant`, by the outputs of `reduction`, in every dtype (or in that of the options).

    Without a reduction it is found out. `only` names cases, with or without the variant, or globs. Raises ValueError
    for a variant, reduction, mode, dtype or case that there is not; SourceError for a loss that cannot be had.
    """
    options = options or Options()
    known(variant, reduction)
    chosen = cases(variant, only)
    source = parse(spec)
    if not isinstance(source, FileSource | ModuleSource):
        raise SourceError(
            "spec", f"{spec} is not a function of a framework; `lossvet run` judges recipes and the reference"
        )
    side = options.source
    said = BindingOptions(side.bind, options.labels, options.classes, side.init, side.mode)
    with CheckRemote(
        spec, said, side.python or sys.executable, limit=options.timeout, cache=caches.default()
    ) as remote:  # fmt: skip
        return judged(remote, variants.load(variant), reduction, options, chosen)


def known(variant: str, reduction: str) -> None:
    """Raises ValueError, with what there is, for a variant or a reduction of it that does not exist."""
    if variant not in variants.names():
        raise ValueError(f"--as {variant}: no such variant{near(variant, variants.names(), 20)}")
    reductions = variants.load(variant).reductions
    if reduction and reduction not in reductions:
        raise ValueError(f"--reduction {reduction}: {variant} has no such reduction; it has: {', '.join(reductions)}")


def cases(variant: str, only: Sequence[str]) -> dict[str, Golden]:
    """The golden results by case, all or those that the patterns name. Raises ValueError for one that names none."""
    every = {golden.case.id: golden for golden in vectors.load(variant)}
    if not only:
        return every
    met = {
        pattern: [name for name in every if any(fnmatchcase(n, pattern) for n in (name, name.partition("/")[2]))]
        for pattern in only
    }
    for pattern, found in met.items():
        if not found:
            raise ValueError(f"--only {pattern}: {variant} has no such case{near(pattern, every)}")
    return {name: golden for name, golden in every.items() if any(name in found for found in met.values())}


def judged(
    remote: Answering, variant: Variant, reduction: str, options: Options, chosen: Mapping[str, Golden]
) -> Checked:
    """Judge a loss, of a worker or of this process, by these golden results. Raises ValueError, SourceError."""
    hello = remote.imported()
    mode, dtypes = _asked_for(hello, options)
    fitted = remote.fit(variant.name)
    session = Session(remote, variant, fitted, mode or fitted.mode or hello.modes[0], chosen)
    warnings = list(remote.notes)
    settled, words = session.reduction(reduction)
    warnings += [words] if words else []
    for dtype in dtypes:
        session.work(settled, dtype)
    checked = session.checked(settled, tuple(warnings), again(remote.spec, variant.name, settled, options))
    if checked.exit_code == 1:
        if {row.dtype for row in checked.outputs if row.differs} == {"float64"} and len(dtypes) > 1:
            words = "it differs only in float64: it may compute in float32 whatever its input"
            checked = msgspec.structs.replace(checked, warnings=(*checked.warnings, words))
        found = _instead(remote)
        checked = msgspec.structs.replace(checked, identified=found)
    return checked


def _asked_for(hello: Hello, options: Options) -> tuple[str, tuple[str, ...]]:
    """Mode and dtypes. Raises ValueError for those that the framework has not."""
    side = options.source
    if side.mode and side.mode not in hello.modes:
        raise ValueError(f"--mode {side.mode}: {hello.name} has {', '.join(hello.modes)}")
    dtypes = tuple(dtype for dtype in WIDE if dtype in hello.dtypes)
    if side.dtype and side.dtype not in dtypes:
        raise ValueError(f"--dtype {side.dtype}: golden results are compared in {' and '.join(dtypes)} only")
    return side.mode, (side.dtype,) if side.dtype else dtypes


def _instead(remote: Answering) -> Identified | None:
    """What the loss is, as identify says it; None where it cannot be bound any more."""
    try:
        remote.identifiable()
    except SourceError:
        return None
    sides = [(side, way.binding) for way, side in remote.sides()]
    return identify_bound(
        sides,
        spec=remote.spec,
        framework=remote.framework,
        version=remote.version,
        differentiable=remote.differentiable,
    ).identified


def again(spec: str, variant: str, reduction: str, options: Options) -> tuple[str, ...]:
    """The words of the command that checks this again."""
    side = options.source
    words = ["lossvet", "check", spec, "--as", variant, "--reduction", reduction]
    for role, parameter in side.bind.items():
        words += ["--bind", f"{role}={parameter}"]
    given = (("init", side.init), ("python", side.python), ("mode", side.mode), ("labels", options.labels))
    for name, value in (*given, ("classes", str(options.classes or ""))):
        words += [f"--{name}", value] if value else []
    return tuple(words)
