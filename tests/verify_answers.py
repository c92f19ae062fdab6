"""Answers of verify made by hand: every verdict, every status, as the engine gives them. For the tests of screens."""

from __future__ import annotations

import math

from lossvet.verify.answer import Binding, Comparison, Counterexample, Difference, Effect, Identified
from lossvet.verify.contract import Contract

LONG = (
    "tensorflow:src/company_research/training/objectives/imbalanced_multiclass_losses.py"
    "::ClassBalancedWeightedSparseCategoricalCrossentropyWithLabelSmoothing"
)
OLD = Identified(
    spec="torch:old/losses.py::weighted_ce",
    framework="torch",
    version="2.13.0",
    status="confirmed",
    candidates=(Contract.of(weighting="class_weight", denominator="weights", zero_denominator="nan"),),
    binding=Binding(
        "weighted_ce(pred=logits, target=labels, weight=class_weight)",
        {"logits": "pred", "labels": "target", "class_weight": "weight"},
        {"logits": "name", "labels": "name", "class_weight": "name"},
        "sparse",
        ("reduction",),
    ),
    explained=512,
    tried=512,
    fresh=200,
    largest=0.31,
    learnt=("adding a constant to a row of logits changes nothing", "scaling all weights by 10 changes nothing"),
    not_checked=("float16", "gradient in class_weight"),
)
NEW = Identified(
    spec="jax:new.losses:weighted_ce",
    framework="jax",
    version="0.10.2",
    status="confirmed",
    candidates=(Contract.of(weighting="class_weight", denominator="batch", clip="added", clip_epsilon=1e-7),),
    binding=Binding(
        "weighted_ce(logits=logits, y=labels, w=class_weight)",
        {"logits": "logits", "labels": "y", "class_weight": "w"},
        {"logits": "name", "labels": "name", "class_weight": "given"},
        "sparse",
    ),
    explained=498,
    tried=498,
    fresh=200,
    largest=0.12,
)
EXAMPLE = Counterexample(
    inputs={"logits": [[0.0, 0.0], [0.0, 0.0]], "labels": [0, 1], "class_weight": [1.0, 3.0]},
    output="loss",
    source=0.6931471805599453,
    target=1.3862943611198906,
)
DENOMINATOR = Difference(
    "denominator",
    "weights",
    "batch",
    True,
    says="The old loss divides the sum of the row losses by the sum of the weights of the rows; the new one by the "
    "number of rows.",
    training="The size of a step follows the weights of the classes in the batch: batches with rare, heavy classes "
    "take larger steps, and scaling all weights scales the learning rate.",
    change="Divide by the sum of the weights: (w[y] * row_loss).sum() / w[y].sum().",
    counterexample=EXAMPLE,
)
CLIP = Difference(
    "clip",
    "none",
    "added 1e-07",
    True,
    says="The old loss takes the logarithm of the softmax itself; the new one adds 1e-07 to the probability first.",
    training="Rows that are wrong with a probability below 1e-07 have a loss of at most 16.1 and hardly any gradient: "
    "they are not learnt from.",
    change="Use jax.nn.log_softmax(logits) in place of jnp.log(jax.nn.softmax(logits) + 1e-7).",
    counterexample=Counterexample(
        inputs={"logits": [[-17.5, 0.0, 0.25]], "labels": [0], "class_weight": [1.0, 1.0, 1.0]},
        output="gradient/logits",
        source=[[-0.9999999891, 0.43782349, 0.5621765]],
        target=[[-0.1127, 0.04934, 0.06336]],
    ),
)
EDGE = Difference(
    "invalid_label",
    "raises",
    "wraps",
    True,
    says="A label of -1 raises an error in the old loss; the new one takes it for the last class.",
    training="Rows labelled -1 by mistake train the last class.",
    change="Check the labels before the call, or set the loss of such rows to NaN.",
    counterexample=Counterexample(
        inputs={"logits": [[0.0, 0.0, 0.0]], "labels": [-1], "class_weight": [1.0, 1.0, 1.0]},
        output="loss",
        source=None,
        target=1.0986122886681098,
        source_error="IndexError: Target -1 is out of bounds.",
    ),
    edge=True,
)
EFFECT = Effect(512, 512, (0.8134, 1.0262), 0.26161789, 1.2616, 0.0)
DIFFERENT = Comparison(
    "different",
    OLD,
    NEW,
    differences=(DENOMINATOR, CLIP, EDGE),
    counterexample=EXAMPLE,
    tried=490,
    fresh=200,
    uninformative=8,
    largest=41230.5,
    not_checked=("float16", "gradient in class_weight: the old loss gives none", "labels that are not whole numbers"),
    warnings=("jax: 64 bit floats were switched on for the comparison",),
    replay="lossvet replay 3f9a1c",
)
_EQUAL = Identified(
    spec="jax:new.losses:weighted_ce",
    framework="jax",
    version="0.10.2",
    status="confirmed",
    candidates=OLD.candidates,
    binding=NEW.binding,
    explained=498,
    tried=498,
    fresh=200,
    largest=0.2,
)
SAME = Comparison("same", OLD, _EQUAL, tried=490, fresh=200, largest=0.42, not_checked=("float16",))
SAME_AT_EDGES = Comparison("same", OLD, _EQUAL, differences=(EDGE,), tried=490, fresh=200, largest=0.42)
SAME_GRADIENT = Comparison(
    "same_gradient",
    OLD,
    Identified(
        spec="numpy:kl.py::kl",
        framework="numpy",
        version="2.1.0",
        status="confirmed",
        candidates=(Contract.of(weighting="class_weight", denominator="weights", offset="label_entropy"),),
        binding=OLD.binding,
        explained=100,
        tried=100,
        fresh=20,
    ),
    differences=(
        Difference(
            "offset",
            "none",
            "label_entropy",
            True,
            says="The new loss is less by the entropy of the labels, which does not depend on the logits.",
            training="Nothing: the gradients are the same. The numbers that are logged differ.",
            counterexample=Counterexample(
                inputs={"logits": [[0.0, 0.0]], "labels": [[0.5, 0.5]]}, output="loss", source=math.log(2), target=0.0
            ),
        ),
    ),
    tried=100,
    fresh=20,
    replay="lossvet replay 0a1b2c",
)
_STRANGE = Identified(
    spec=LONG,
    framework="tensorflow",
    version="2.21.0",
    status="unexplained",
    candidates=(Contract.of(family="sigmoid", weighting=("pos_weight", "sample_weight"), denominator="elements"),),
    binding=Binding(
        "ClassBalancedWeightedSparseCategoricalCrossentropyWithLabelSmoothing(reduction='none')"
        "(y_true=labels, y_pred=logits)",
        {"labels": "y_true", "logits": "y_pred"},
        {"labels": "name", "logits": "probing"},
        "dense",
        ("sample_weight",),
    ),
    explained=77,
    tried=512,
    largest=3.4e7,
    learnt=("adding a constant to a row changes the loss", "permuting the rows changes nothing"),
    reason="It differs from the nearest contract on the first probe with a label that is neither 0 nor 1.",
    warnings=("prints to stdout", "changes y_true in place"),
)
UNEXPLAINED = Comparison(
    "unexplained",
    OLD,
    _STRANGE,
    counterexample=Counterexample(
        inputs={
            "logits": [[0.5, -1.0, 2.0, 0.0]],
            "labels": [[0.25, 0.75, 0.0, 0.0]],
            "pos_weight": 3.0,
            "sample_weight": [2.0],
            "cost_matrix": [[0.0, 1.0, 2.0, 3.0], [1.0, 0.0, 1.0, 2.0], [5.0, 1.0, 0.0, 1.0], [1.0, 1.0, 1.0, 0.0]],
        },
        output="loss",
        source=[1.25],
        target=[0.333333333333],
    ),
    tried=400,
    largest=1e9,
    parts_at="the weighted row: log-probabilities and row losses agree where they can be seen",
    reason="The new loss agrees with no contract that has at most three departures.",
    replay="lossvet replay 99aa00",
)
UNEXPLAINED_ALIKE = Comparison("unexplained", _STRANGE, _STRANGE, tried=3, reason="Only 3 probes say anything.")
EQUAL_ON_PROBES = Comparison("equal_on_probes", _STRANGE, _STRANGE, tried=512, fresh=200, largest=0.5)
CANNOT_JUDGE = Comparison(
    "cannot_judge",
    OLD,
    Identified(
        spec="torch:new/losses.py::dead",
        framework="torch",
        version="2.13.0",
        status="cannot_judge",
        candidates=(),
        binding=None,
        reason="It gives the same value whatever its input.",
    ),
    reason="the new loss gives 0.5 on every probe; nothing can be learnt from it",
)
AMBIGUOUS = Identified(
    spec="numpy:losses.py::fixed",
    framework="numpy",
    version="2.1.0",
    status="ambiguous",
    candidates=(
        Contract.of(smoothing="over_classes", smoothing_alpha=0.1),
        Contract.of(smoothing="over_others", smoothing_alpha=0.075),
    ),
    binding=Binding(
        "fixed(logits, labels)", {"logits": "p", "labels": "t"}, {"logits": "probing", "labels": "probing"}, "dense"
    ),
    explained=300,
    tried=300,
    fresh=100,
    largest=0.6,
    needed="a batch with another number of classes; the loss takes 4 and no other",
    not_checked=("gradients: NumPy has none",),
)
UNREDUCED = Counterexample(
    inputs={"logits": [[1.0, 2.0, 3.0]] * 3, "labels": [0, 1, 2], "sample_weight": [1.0, 0.0, 0.5]},
    output="loss",
    source=[2.4076059644443806, 0.0, 0.2038029822221903],
    target=[2.4076059644443806, math.nan, 0.2038029822221903],
)
EMPTY = Counterexample(inputs={"logits": [], "labels": []}, output="loss", source=math.nan, target=0.0)
WIDE = Counterexample(
    inputs={"logits": [[i / 7 for i in range(40)]] * 20, "labels": [3] * 20, "class_weight": [1 / 3] * 40},
    output="loss",
    source=1 / 3,
    target=2 / 3,
)
COMPARISONS = {
    "different": DIFFERENT,
    "same": SAME,
    "same_at_edges": SAME_AT_EDGES,
    "same_gradient": SAME_GRADIENT,
    "unexplained": UNEXPLAINED,
    "unexplained_alike": UNEXPLAINED_ALIKE,
    "equal_on_probes": EQUAL_ON_PROBES,
    "cannot_judge": CANNOT_JUDGE,
}
IDENTIFIED = {"confirmed": OLD, "ambiguous": AMBIGUOUS, "unexplained": _STRANGE, "cannot_judge": CANNOT_JUDGE.target}
