"""Every plausible way of calling a loss, the likeliest first: what its names say, then its order, then what is left."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from lossvet.verify import parameter_names as names
from lossvet.verify.binding import Argument, Constant, Options, Plan, Role
from lossvet.verify.init_text import ANY_WEIGHT, IGNORE_INDEX, Marker, parse_init, role_named
from lossvet.verify.signatures import Parameter, Shape, required
from lossvet.verify.sources import Kind, SourceError, near

LABELS = (
    ("sparse", "nc", ""),
    ("dense", "nc", ""),
    ("dense", "n1", "n1"),
    ("dense", "n1", "n"),
    ("dense", "n", "n"),
    ("sparse", "nc", "n1"),
)
"""Which labels, the layout of the logits, the layout of the labels: in the order in which they are tried."""
MANY = 300
"""Plans that are considered, at most."""


@dataclass(frozen=True)
class Choice:
    """What a parameter may be given, the likeliest first; None: it is left at its default."""

    parameter: str
    among: tuple[Argument | None, ...]


def plans(shape: Shape, options: Options) -> list[Plan]:
    """The plausible bindings. Raises SourceError: "binding" where there is none, "init" for arguments it has not."""
    shape, given = _given(shape, options)
    shape, taken = _taken(shape, options)
    called, making = given | taken, shape.making or ()
    classes = options.classes or _said(taken)
    made = [Choice(p.name, _among(p, called)) for p in making]
    found: list[tuple[int, int, Plan]] = []
    for order, main in enumerate(_mains(shape, called)):
        rest = [Choice(p.name, _among(p, called)) for p in shape.parameters if p.name not in main]
        labels_parameter = next(name for name, role in main.items() if role.role == "labels")
        for step, (labels, logits_layout, labels_layout) in enumerate(_label_choices(labels_parameter, options)):
            layouts = {"logits": logits_layout, "labels": labels_layout}
            for ranks in itertools.product(*(range(len(c.among)) for c in (*made, *rest))):
                chosen = {c.parameter: c.among[rank] for c, rank in zip((*made, *rest), ranks, strict=True)}
                roles = [a.role for a in chosen.values() if isinstance(a, Role)]
                if len(set(roles)) < len(roles):
                    continue
                arguments = {name: a for name, a in (chosen | main).items() if a is not None}
                plan = Plan(
                    shape.name,
                    _ordered(shape.parameters, arguments, layouts),
                    labels,
                    logits_layout,
                    _ordered(making, arguments, layouts) if shape.making is not None else None,
                    tuple(name for name, a in chosen.items() if a is None),
                    classes,
                )
                found.append((3 * order + step + sum(ranks), len(found), plan))
    if not found:
        raise unbound(shape)
    return [plan for _, _, plan in sorted(found, key=lambda row: row[:2])[:MANY]]


def making(shape: Shape, options: Options) -> list[Plan]:
    """The ways in which a function that makes a loss can be called, as plans without a call of what it makes."""
    shape, given = _given(shape, options)
    shape, taken = _taken(shape, options)
    parameters = shape.making or ()
    choices = [Choice(p.name, _among(p, given | taken)) for p in parameters]
    found = []
    for ranks in sorted(itertools.product(*(range(len(c.among)) for c in choices)), key=sum)[:MANY]:
        chosen = {c.parameter: a for c, r in zip(choices, ranks, strict=True) if (a := c.among[r]) is not None}
        found.append(Plan(shape.name, (), "sparse", made_with=_ordered(parameters, chosen, {"logits": "nc"})))
    return found


def unbound(shape: Shape, why: str = "") -> SourceError:
    """The error for a loss that cannot be bound: its parameters, the roles that they suggest, and what to do."""
    every = [*(shape.making or ()), *shape.parameters]
    says = ", ".join(f"{p.name} ({names.suggests(p.name) or 'unknown'})" for p in every) or "none"
    return SourceError(
        "binding",
        f"{shape.text()} cannot be called as a loss{f': {why}' if why else ''}. Its parameters, with the roles that "
        f"their names suggest: {says}. Set roles with --bind ROLE=PARAMETER (as in logits=prediction) and other "
        "arguments with --init 'gamma=2.0', and add --labels dense or sparse or --classes N if it takes no others; in "
        "verify --bind and --init are --source-bind and --source-init for OLD, --target-bind and --target-init for NEW",
    )


def _given(shape: Shape, options: Options) -> tuple[Shape, dict[str, Argument]]:
    """What --bind says, by parameter; the shape, with the parameters of **kwargs that it names."""
    found: dict[str, Argument] = {}
    for said, parameter in options.bind.items():
        shape = _with(shape, parameter, "binding")
        found[parameter] = _marked(Marker(role_named(said)), parameter, "given")
    return shape, found


def _taken(shape: Shape, options: Options) -> tuple[Shape, dict[str, Argument]]:
    """What the init text settles, by parameter: of the constructor or maker where there is one, else of the call."""
    found: dict[str, Argument] = {}
    for name, value in parse_init(options.init).items():
        if name.isdigit():
            every = [p.name for p in (shape.parameters if shape.making is None else shape.making)]
            if int(name) >= len(every):
                raise SourceError("init", f"{options.init!r} has {int(name) + 1} arguments; {shape.text()} takes fewer")
            name = every[int(name)]
        shape = _with(shape, name, "init")
        found[name] = _marked(value, name, "init") if isinstance(value, Marker) else Constant(name, value, "init")
    return shape, found


def _said(taken: Mapping[str, Argument]) -> int:
    """The number of classes that the init text gives, 0 where it gives none: the loss may take no other."""
    told = [a.value for a in taken.values() if isinstance(a, Constant) and names.constant(a.parameter) == "classes"]
    return next((value for value in told if isinstance(value, int)), 0)


def _with(shape: Shape, name: str, kind: Kind) -> Shape:
    """The shape with a parameter of this name, which **kwargs takes. Raises SourceError where nothing does."""
    every = [p.name for p in (*(shape.making or ()), *shape.parameters)]
    if name in every:
        return shape
    if not shape.swallows:
        raise SourceError(kind, f"{shape.text()} has no parameter {name!r}{near(name, every)}")
    return replace(shape, parameters=(*shape.parameters, Parameter(name, Parameter.KEYWORD_ONLY)))


def _marked(marker: Marker, parameter: str, how: str) -> Argument:
    if marker.role == IGNORE_INDEX:
        return Constant(parameter, names.CONSTANTS["ignore_index"], how)
    return Role(parameter, marker.role, how=how)


def _mains(shape: Shape, called: Mapping[str, Argument]) -> list[dict[str, Role]]:
    """Which parameters are logits and labels, by parameter: one way where names say it, else both orders."""
    found = {a.role: a for a in called.values() if isinstance(a, Role) and a.role in ("logits", "labels")}
    free = [p for p in shape.parameters if p.name not in called]
    for role, table in (("logits", names.LOGITS), ("labels", names.LABELS)):
        named = [p for p in free if names.suggests(p.name) == role]
        if role not in found and named:
            best = min(named, key=lambda p: (not required(p), names.rank(p.name, table)))
            found[role] = Role(best.name, role)
    missing = [role for role in ("logits", "labels") if role not in found]
    bound = {role.parameter for role in found.values()}
    unknown = [p.name for p in free if p.name not in bound and required(p) and _open(p)]
    unknown = unknown or [p.name for p in free if p.name not in bound and _open(p)]
    ways = [
        {
            r.parameter: r
            for r in (*found.values(), *(Role(n, r, how="position") for n, r in zip(chosen, missing, strict=True)))
        }
        for chosen in itertools.permutations(unknown[: len(missing)])
        if len(chosen) == len(missing)
    ]
    if len(missing) == 1 and ways and found:  # the one name may say the wrong thing, as in loss(y, t) of predictions y
        ways += [{name: replace(role, role=other.role, how="position") for name, role, other in _swapped(ways[0])}]
        if all(names.suggests(name) == "labels" for name in ways[0]):
            first = next(p.name for p in shape.parameters if p.name in ways[0])
            ways.sort(key=lambda way: way[first].role != "logits")
    return ways


def _open(parameter: Parameter) -> bool:
    """Whether its name leaves open that it is logits or labels."""
    return names.suggests(parameter.name) in ("", "logits", "labels") and names.constant(parameter.name) is None


def _swapped(way: Mapping[str, Role]) -> list[tuple[str, Role, Role]]:
    (one, first), (two, second) = way.items()
    return [(one, first, second), (two, second, first)]


def _among(parameter: Parameter, called: Mapping[str, Argument]) -> tuple[Argument | None, ...]:
    """What a parameter that is neither logits nor labels may be given."""
    name, suggested = parameter.name, names.suggests(parameter.name)
    settled = called.get(name)
    if isinstance(settled, Role) and settled.role == ANY_WEIGHT:
        return tuple(replace(_role(name, choice), how=settled.how) for choice in names.WEIGHT_CHOICES)
    if settled is not None:
        return (settled,)
    if name == "from_logits" and parameter.default in (False, Parameter.empty):
        return (Constant(name, True), *([] if required(parameter) else [None]))
    value = names.constant(name)
    if value is not None and required(parameter):
        constant = Constant(name, value, size=value in ("classes", "batch"))
        return (Role(name, "count"), constant) if value == "batch" else (constant,)
    if required(parameter) and parameter.annotation in (bool, "bool"):  # a switch weighs nothing
        return (Constant(name, True, "probing"), Constant(name, False, "probing"))
    weighs = suggested in names.CHOICES
    if required(parameter):
        choices = names.CHOICES[suggested if weighs else "unknown"]
        return tuple(replace(_role(name, c), how="name" if weighs and c == choices[0] else "probing") for c in choices)
    if name in names.FACTORS and parameter.default == 1:
        return (None,)
    if weighs and (parameter.default is None or parameter.default == 1):  # of which both mean no weights at all
        choices = names.CHOICES[suggested]
        return (*(replace(_role(name, c), how="name" if c == choices[0] else "probing") for c in choices), None)
    return (None,)


def _role(parameter: str, choice: str) -> Role:
    role, _, layout = choice.partition(":")
    return Role(parameter, role, layout)


def _label_choices(parameter: str, options: Options) -> list[tuple[str, str, str]]:
    """The rows of `LABELS` in the order that the name of the labels suggests."""
    said = set(names.words(parameter))
    kept = [row for row in LABELS if options.labels in ("", row[0])]
    if said & names.DENSE_WORDS and not said & names.SPARSE_WORDS:
        kept.sort(key=lambda row: row[0] != "dense")
    if options.classes > 1:
        kept = [row for row in kept if row[1] == "nc"]
    return kept


def _ordered(
    parameters: Sequence[Parameter], arguments: Mapping[str, Argument], layouts: Mapping[str, str]
) -> tuple[Argument, ...]:
    """The arguments of a call in its own order, the first ones by position for as long as none is left out.

    Options (reduction=...) go by name although they could go by position, as a reader would write them.
    """
    found: list[Argument] = []
    unbroken = True
    for parameter in parameters:
        argument = arguments.get(parameter.name)
        only = parameter.kind is Parameter.POSITIONAL_ONLY
        main = isinstance(argument, Role) and argument.role in ("logits", "labels")
        unbroken = unbroken and argument is not None and main and parameter.kind is not Parameter.KEYWORD_ONLY
        if argument is None:
            continue
        if isinstance(argument, Role):
            layout = layouts.get(argument.role, argument.layout)
            if layouts["logits"] == "n" and argument.layout in ("n1", "nc"):
                layout = ""  # all is [N] then
            found.append(replace(argument, layout=layout, by_position=only or unbroken))
        else:
            found.append(replace(argument, by_position=only))
    return tuple(found)
