"""The departures that the search tries, as data: what may differ from the plain cross-entropy, alone or together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, product

from lossvet.verify.batches import Domain
from lossvet.verify.contract import Contract, Setting

Settings = Mapping[str, Setting]


@dataclass(frozen=True)
class Number:
    """A number that a departure has and the search must find: usual values first, then anywhere between two ends."""

    name: str
    usual: tuple[float, ...]
    low: float
    high: float
    logarithmic: bool = False
    least: float = 0.0
    """What is smaller in magnitude is another departure's doing."""
    common: bool = False
    """Whether it is looked for beside another departure as well, and not by its usual values alone."""


@dataclass(frozen=True)
class Departure:
    """Facets that a loss may have in place of the defaults. `number` is still open where it has one.

    `families` and `labels` say where the departure exists at all; `keeps_shift`, whether a loss that has it still does
    not change when a constant is added to a row of logits.
    """

    settings: Settings
    number: Number | None = None
    families: tuple[str, ...] = ("softmax", "sigmoid")
    labels: tuple[str, ...] = ("sparse", "dense")
    inputs: tuple[str, ...] = ("logits", "probabilities", "log_probabilities")
    keeps_shift: bool = True

    @property
    def facets(self) -> frozenset[str]:
        return frozenset(self.settings)


SOFTMAX, SIGMOID = ("softmax",), ("sigmoid",)
LOGITS, PROBABILITIES = ("logits",), ("probabilities",)

GAMMA = Number("gamma", (2.0, 1.0, 0.5, 3.0, 1.5, 5.0), 0.05, 8.0, common=True)
ALPHA = Number("smoothing_alpha", (0.1, 0.05, 0.2, 0.01, 0.3), 0.001, 0.95, common=True)
TEMPERATURE = Number("temperature", (2.0, 0.5, 0.1, 0.07, 4.0, 10.0), 0.02, 50.0, logarithmic=True, common=True)

CORE: tuple[Departure, ...] = (
    Departure({"activation": "twice"}, inputs=LOGITS),
    Departure({"log": "missing"}, keeps_shift=True),
    Departure({"renormalised": "yes"}, families=SOFTMAX, inputs=PROBABILITIES),
    Departure({"axis": "batch"}, families=SOFTMAX, keeps_shift=False, inputs=LOGITS),
    Departure({"labels": "shifted_by_one"}, families=SOFTMAX),
    Departure({"labels": "reversed"}),
    Departure({"label_shift": "next_token"}, families=SOFTMAX),
    Departure({"arguments": "swapped"}, labels=("dense",), keeps_shift=False),
    Departure({"sign": "plus"}),
    Departure({"sign": "plus_on_one_term"}, families=SIGMOID),
    Departure({"ignored": "label", "ignored_label": 0.0}, families=SOFTMAX, labels=("sparse",)),
    Departure({"ignored": "label", "ignored_label": 0.0, "counted": "all"}, families=SOFTMAX, labels=("sparse",)),
    Departure({"weights_from": "batch_counts", "weights_formula": "inverse", "weighting": "class_weight"}),
    Departure({"weights_from": "batch_counts", "weights_formula": "total", "weighting": "class_weight"}),
    Departure({"weights_from": "batch_counts", "weights_formula": "balanced", "weighting": "class_weight"}),
    Departure({"weights_from": "batch_counts", "weights_formula": "others_share", "weighting": "class_weight"}),
    Departure({"weights_from": "prediction", "weighting": "predicted_weight"}, families=SOFTMAX),
    Departure({"denominator": "microbatches", "microbatches": 2.0}),
    Departure({"denominator": "microbatches", "microbatch_rows": 2.0}),
    Departure({"weights_from": "batch_counts", "weights_formula": "others_share", "weighting": "both_sides"},
              families=SIGMOID),
    Departure({"weights_from": "image_counts", "weights_formula": "others_share", "weighting": "both_sides"},
              families=SIGMOID),
    Departure({"weights_from": "batch_counts", "weights_formula": "negatives_per_positive", "weighting": "pos_weight"},
              families=SIGMOID),
    Departure({"weights_from": "batch_counts", "weights_formula": "positive_share", "weighting": "pos_weight"},
              families=SIGMOID),
    Departure({"weights_from": "batch_counts", "weights_formula": "effective_number", "weighting": "class_weight"},
              Number("beta", (0.999, 0.9999, 0.99, 0.9), 0.5, 0.99999)),
    Departure({"modulation": "focal"}, GAMMA),
    Departure({"smoothing": "over_classes"}, ALPHA),
    Departure({"smoothing": "over_others"}, ALPHA),
    Departure({"smoothing": "toward_half"}, ALPHA, families=SIGMOID),
    Departure({"clip": "added"}, Number("clip_epsilon", (1e-6, 1e-5, 1e-4, 1e-3, 1e-2), 1e-7, 0.3, logarithmic=True)),
    Departure({"clip": "capped"}, Number("clip_epsilon", (1.0, 2.0, 5.0), 0.1, 4.0), families=SOFTMAX),
    Departure({"logits_map": "scaled"}, TEMPERATURE, inputs=LOGITS),
    Departure({"logits_map": "softcapped"}, Number("cap", (30.0, 50.0, 15.0, 10.0, 1.0), 0.2, 200.0, True, common=True),
              inputs=LOGITS,
              keeps_shift=False),
    Departure({"logits_map": "margin"}, Number("margin", (0.35, 0.5, 0.2, 1.0), -3.0, 6.0), families=SOFTMAX,
              inputs=LOGITS),
    Departure({"extra_terms": "z_loss"}, Number("z_scale", (1e-4, 1e-3, 1e-2), 1e-6, 10.0, True), families=SOFTMAX,
              inputs=LOGITS, keeps_shift=False),
    Departure({"offset": "label_entropy"}, families=SOFTMAX),
    Departure({"offset": "constant"}, Number("offset_constant", (1.0, -1.0), -20.0, 20.0, least=1e-3)),
    Departure({"extra_terms": "entropy"}, Number("entropy_scale", (0.1, 0.01, 1.0, -0.1), -2.0, 2.0), families=SOFTMAX),
)  # fmt: skip
"""What shows with weights of 1."""

COSTS = ("cost_expected", "cost_realized", "cost_complement")
SCALES = ("raw", "sum_to_one", "sum_to_classes", "softmaxed", "inverted", "squared", "rooted")
DENOMINATORS = (
    "batch",
    "elements",
    "sum",
    "unreduced",
    "weights",
    "nonzero_weights",
    "batch_squared",
    "total_class_weight",
    "argument",
)


def bases(domain: Domain) -> Iterator[Contract]:
    """A plain loss of each family and kind of input; costs take the place of the cross-entropy where there are any."""
    for family, kind in product(("softmax", "sigmoid"), ("logits", "probabilities", "log_probabilities")):
        if family == "softmax" and domain.one_column:
            continue
        plain = Contract.of(family=family, input=kind)
        yield plain
        if "cost_matrix" in domain.roles and family == "softmax":
            yield from (plain.with_(weighting=cost) for cost in COSTS)


def departures(domain: Domain, base: Contract, count: int) -> Iterator[tuple[Departure, ...]]:
    """So many departures at a time that can be had together."""
    fitting = [
        d
        for d in CORE
        if base["family"] in d.families and domain.labels in d.labels and base["input"] in d.inputs
        and not ("weights_from" in d.settings and set(domain.roles) & {"class_weight", "pos_weight"})
    ]  # fmt: skip
    for chosen in combinations(fitting, count):
        names = [name for d in chosen for name in d.settings]
        if len(names) == len(set(names)):
            yield chosen


def weightings(domain: Domain, base: Contract) -> Iterator[Settings]:
    """Every way in which the weights that a side takes may enter, beside what the base has already."""
    binary = base["family"] == "sigmoid"
    by_role: dict[str, tuple[tuple[str, ...], ...]] = {
        "class_weight": ((), ("class_weight",), ("class_weight_terms",), ("predicted_weight",), ("weighted_logits",),
                         ("after_mean",)),
        "pos_weight": ((), ("pos_weight",), ("neg_weight",), ("pos_weight_on_hard_labels",)),
        "binary_weights": ((), ("both_sides",)),
        "sample_weight": ((), ("sample_weight",), ("after_mean",)),
        "mask": ((), ("mask",), ("after_mean",)),
    }  # fmt: skip
    if binary:
        by_role["class_weight"] = ((), ("class_weight",), ("weighted_logits",))
    choices = [by_role[role] for role in domain.weights() if role in by_role]
    for chosen in product(*choices):
        names = tuple(dict.fromkeys(name for part in chosen for name in part))
        for scale in SCALES if names or base.weighting else ("raw",):
            yield {"weighting": (*base.weighting, *names), "weight_scale": scale}
        if "mask" in names and base["ignored"] == "none":
            yield {"weighting": (*base.weighting, *names), "ignored": "leaking", "counted": "all"}
