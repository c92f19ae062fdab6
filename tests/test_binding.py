"""Which parameter is what: by name, by position, by probing, and as the caller says."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lossvet import adapters
from lossvet.verify import loss, parameter_names, plans, probing, signatures
from lossvet.verify.answer import Binding
from lossvet.verify.binding import Options
from lossvet.verify.init_text import Marker, parse_init
from lossvet.verify.questions import Question
from lossvet.verify.sources import SourceError

sys.path.insert(0, str(Path(__file__).parent / "manners"))


@pytest.mark.parametrize(
    ("name", "is_"),
    [
        ("logits", "logits"), ("y_pred", "logits"), ("student_logits", "logits"), ("yHat", "logits"), ("x", "logits"),
        ("y_true", "labels"), ("target", "labels"), ("oneHotLabels", "labels"), ("y", "labels"), ("gt", "labels"),
        ("weight", "weight"), ("w", "weight"), ("class_weights", "class_weight"), ("alpha", "class_weight"),
        ("pos_weight", "pos_weight"), ("positive_weight", "pos_weight"), ("sample_weight", "sample_weight"),
        ("pixel_weights", "sample_weight"), ("cost_matrix", "cost_matrix"), ("mask", "mask"), ("label_mask", "mask"),
        ("mask_true", "labels"),
        ("num_items_in_batch", "count"), ("samples_per_cls", "class_weight"), ("foo", ""), ("reduction", ""),
    ],
)  # fmt: skip
def test_a_name_suggests_a_role(name: str, is_: str) -> None:
    assert parameter_names.suggests(name) == is_


def first(function: Callable[..., Any], **options: Any) -> str:
    """The likeliest call of a function, nothing being tried."""
    shape = signatures.of_callable(function, "f")
    assert shape is not None
    return plans.plans(shape, Options(**options))[0].call()


def test_the_likeliest_call_follows_names_then_places() -> None:
    assert first(lambda logits, labels: 0) == "f(logits, labels)"
    assert first(lambda y_true, y_pred: 0) == "f(labels, logits)"
    assert first(lambda a, b, c: 0) == "f(logits, labels, c=class_weight)"
    assert first(lambda y, t: 0) == "f(logits, labels)"  # Chainer's names: y is the prediction
    assert first(lambda a, target: 0) == "f(logits, labels)"
    assert first(lambda pred, gt, w=None, reduction="mean": 0) == "f(logits, labels, w=class_weight)"
    assert first(lambda x, y, alpha=0.25, gamma=2.0: 0) == "f(logits, labels)"
    assert first(lambda x, y, weights=1.0: 0) == "f(logits, labels, weights=class_weight)"
    assert first(lambda preds, targets, loss_weight=1.0: 0) == "f(logits, labels)"
    assert first(lambda preds, targets, loss_weight=None: 0) == "f(logits, labels, loss_weight=class_weight)"
    assert first(lambda y, p, from_logits=False: 0) == "f(labels, logits, from_logits=True)"
    assert first(lambda x, y, num_classes, n: 0) == "f(logits, labels, num_classes=C, n=count)"
    assert first(lambda x, y, *, mask: 0) == "f(logits, labels, mask=mask)"
    assert first(lambda student, teacher, T: 0) == "f(logits, labels, T=2.0)"
    assert first(lambda pred, gold, pad: 0) == "f(logits, labels, pad=0)"


def test_the_caller_settles_what_names_do_not() -> None:
    assert first(lambda a, b: 0, bind={"logits": "b"}) == "f(labels, logits)"
    assert first(lambda x, y, w: 0, bind={"cost_matrix": "w"}) == "f(logits, labels, w=cost_matrix)"
    assert first(lambda x, y, **more: 0, bind={"weights": "weight"}) == "f(logits, labels, weight=class_weight)"
    assert first(lambda x, y, gamma=2.0: 0, init="gamma=0.5") == "f(logits, labels, gamma=0.5)"
    assert first(lambda x, y, w, i: 0, init="w=@sample_weight, i=@ignore_index") == (
        "f(logits, labels, w=sample_weight, i=-100)"
    )


def test_init_text_is_read_and_never_evaluated() -> None:
    assert parse_init("2, weight=@weights, reduction='s@m', eps=-1e-3, axes=(0, 1)") == {
        "0": 2, "weight": Marker("weights"), "reduction": "s@m", "eps": -1e-3, "axes": (0, 1),
    }  # fmt: skip
    for text, words in [
        ("a=open('x')", "open('x') in"),
        ("a=b", "b in 'a=b' is not a literal, and names are not evaluated"),
        ("a=@logit", "no such role: 'logit' (did you mean logits?)"),
        ("a=", "cannot be read"),
        ("**a", "contains **"),
    ]:
        with pytest.raises(SourceError) as caught:
            parse_init(text)
        assert words in caught.value.sentence
        assert caught.value.kind == "init"


@pytest.mark.parametrize(
    ("function", "options", "kind", "words"),
    [
        (lambda x: 0, {}, "binding", "Its parameters, with the roles that their names suggest: x (logits)"),
        (lambda x, y: 0, {"bind": {"logits": "z"}}, "binding", "has no parameter 'z' (there are: x, y)"),
        (lambda x, y: 0, {"bind": {"logit": "x"}}, "init", "no such role: 'logit' (did you mean logits?)"),
        (lambda x, y: 0, {"init": "gama=1"}, "init", "has no parameter 'gama' (there are: x, y)"),
        (lambda x, y: 0, {"init": "1, 2, 3"}, "init", "has 3 arguments"),
    ],
)
def test_what_cannot_be_bound_is_said_with_what_to_do(
    function: Callable[..., Any], options: dict[str, Any], kind: str, words: str
) -> None:
    with pytest.raises(SourceError) as caught:
        first(function, **options)
    assert caught.value.kind == kind
    assert words in caught.value.sentence


# With NumPy -----------------------------------------------------------------------------------------------------------


def softmax_terms(z: Any) -> Any:
    shifted = z - z.max(1, keepdims=True)
    return np.log(np.exp(shifted).sum(1, keepdims=True)) - shifted


def sparse_with_class_weight(z: Any, y: Any, w: Any) -> Any:
    return (w[y] * softmax_terms(z)[np.arange(len(y)), y]).mean()


def sparse_with_row_weight(foo: Any, bar: Any, baz: Any) -> Any:
    return (baz * softmax_terms(foo)[np.arange(len(bar)), bar]).mean()


def weights_as_wide_as_logits(logits: Any, labels: Any, weights: Any) -> Any:
    assert weights.shape == logits.shape
    return (weights[np.arange(len(labels)), labels] * softmax_terms(logits)[np.arange(len(labels)), labels]).mean()


def of_twelve_classes(logits: Any, target: Any) -> Any:
    onehot = np.eye(12)[target]
    return (onehot[:, : logits.shape[1]] * softmax_terms(logits)).sum(1).mean() if logits.shape[1] in (1, 12) else None


def dense_with_costs(pred: Any, onehot: Any, cost: Any) -> Any:
    p = np.exp(-softmax_terms(pred))
    return (p * (onehot @ cost)).sum(1).mean()


def swapped_places(a: Any, b: Any) -> Any:
    return softmax_terms(b)[np.arange(len(a)), a].mean()


def of_probabilities(y_true: Any, p: Any) -> Any:
    with np.errstate(invalid="ignore"):
        return -(y_true * np.log(p)).sum(1).mean()


def binary_in_a_row(score: Any, t: Any) -> Any:
    if score.ndim != 1:
        raise ValueError("scores of one row, please")
    return (np.logaddexp(0, score) - t * score).mean()


def four_classes(z: Any, y: Any) -> Any:
    return (np.array([1.0, 2.0, 3.0, 4.0])[y] * (softmax_terms(z) + np.zeros(4))[np.arange(len(y)), y]).mean()


def swallows(z: Any, y: Any, weight: Any = None) -> Any:
    return softmax_terms(z)[np.arange(len(y)), y].mean()


def maker(weights: Any) -> Callable[..., Any]:
    return lambda y_true, y_pred: (weights * y_true * softmax_terms(y_pred)).sum(1).mean()


def class_weights_on_rows(logits: Any, labels: Any, class_weights: Any) -> Any:
    return (class_weights * softmax_terms(logits)[np.arange(len(labels)), labels]).mean()


class Plain:
    def __call__(self, logits: Any, labels: Any) -> Any:
        return softmax_terms(logits)[np.arange(len(labels)), labels].mean()


class Made:
    def __init__(self, weight: Any, scale: float = 1.0) -> None:
        self.weight, self.scale = weight, scale

    def __call__(self, input: Any, target: Any) -> Any:
        return self.scale * sparse_with_class_weight(input, target, self.weight)


class Smoothed:
    def __init__(self, num_classes: int) -> None:
        self.rest = 0.1 / (num_classes - 1)

    def __call__(self, input: Any, target: Any) -> Any:
        terms = softmax_terms(input)
        return ((0.9 - self.rest) * terms[np.arange(len(target)), target] + self.rest * terms.sum(1)).mean()


def on_a_device(logits: Any, target: Any, weights: Any, device: Any) -> Any:
    assert device == "cpu"
    return sparse_with_class_weight(logits, target, weights)


def best(function: Callable[..., Any], **options: Any) -> Binding:
    return loss.subjects(adapters.primitives("numpy"), function, Options(**options)).bound[0].binding


@pytest.mark.parametrize(
    ("function", "call", "labels"),
    [
        (sparse_with_class_weight, "sparse_with_class_weight(logits, labels, w=class_weight)", "sparse"),
        (sparse_with_row_weight, "sparse_with_row_weight(logits, labels, baz=sample_weight)", "sparse"),
        (
            weights_as_wide_as_logits,
            "weights_as_wide_as_logits(logits, labels, weights=broadcast_to(sample_weight[:, None], (N, C)))",
            "sparse",
        ),
        (dense_with_costs, "dense_with_costs(logits, labels, cost=cost_matrix)", "dense"),
        (swapped_places, "swapped_places(labels, logits)", "sparse"),
        (of_probabilities, "of_probabilities(labels, logits)", "dense"),
        (binary_in_a_row, "binary_in_a_row(logits, labels)", "dense"),
        (four_classes, "four_classes(logits, labels)", "sparse"),
        (maker, "maker(weights=class_weight)(labels, logits)", "dense"),
        (Plain, "Plain()(logits, labels)", "sparse"),
        (Made, "Made(weight=class_weight)(logits, labels)", "sparse"),
        (Made(np.array([1.0, 2.0, 3.0])), "Made(logits, labels)", "sparse"),
    ],
)
def test_probing_finds_what_names_leave_open(function: Callable[..., Any], call: str, labels: str) -> None:
    found = best(function)
    assert (found.call, found.labels) == (call, labels)


def test_a_binding_says_what_the_loss_can_be_asked() -> None:
    assert best(of_probabilities).domain == "probabilities"
    assert best(dense_with_costs).domain == "any"
    assert (best(binary_in_a_row).layout, best(dense_with_costs).layout) == ("n", "nc")
    assert best(Smoothed, init="num_classes=4").classes == 4
    assert "device='cpu'" in best(on_a_device).call
    assert best(of_twelve_classes).classes == 12  # with one class it can be called as well, and nothing matters
    assert (best(four_classes).classes, best(dense_with_costs).classes) == (4, 0)
    found = best(sparse_with_row_weight)
    assert found.roles == {"logits": "foo", "labels": "bar", "sample_weight": "baz"}
    assert found.how == {"logits": "position", "labels": "position", "sample_weight": "probing"}
    assert best(Made, init="@weights, scale=2.0").call == "Made(weight=class_weight, scale=2.0)(logits, labels)"


def test_an_argument_without_influence_is_named_and_comes_last() -> None:
    probed = loss.subjects(adapters.primitives("numpy"), swallows)
    assert probed.bound[0].idle == ()
    assert probed.bound[0].binding.unused == ("weight",)
    assert all(set(b.binding.roles) - set(b.idle) == {"logits", "labels"} for b in probed.bound)
    assert ("class_weight",) in [b.idle for b in probed.bound]
    assert probed.notes == ("accepts weight but does not use it",)


def test_weights_of_classes_that_land_on_rows_are_named() -> None:
    notes = loss.subjects(adapters.primitives("numpy"), class_weights_on_rows).notes
    assert notes == (
        "class_weights weights rows: given weights of classes, it uses them for the rows if there are as many of both",
    )
    assert loss.subjects(adapters.primitives("numpy"), sparse_with_row_weight).notes == ()


def test_what_none_of_the_ways_can_call_tells_the_first_error() -> None:
    def loss_(z: Any, y: Any) -> Any:
        raise KeyError("logit_scale")

    with pytest.raises(SourceError, match="the first raised KeyError: 'logit_scale'"):
        best(loss_)


def test_a_side_takes_questions_in_the_form_of_its_roles() -> None:
    side = loss.subjects(adapters.primitives("numpy"), binary_in_a_row).bound[0].subject
    logits, labels = np.array([[0.5], [-1.0]]), np.array([1, 0])
    column, row, wide = side.ask([
        Question({"logits": logits, "labels": labels[:, None].astype(float), "mask": np.ones(2)}),
        Question({"logits": logits, "labels": labels}),
        Question({"logits": np.ones((2, 3)), "labels": labels}),
    ])  # fmt: skip
    assert column.value is not None
    np.testing.assert_allclose(column.value, np.mean([np.log1p(np.exp(-0.5)), np.log1p(np.exp(-1.0))]))
    assert row.value == column.value
    assert wide.error.startswith("Unfit: it takes logits of a binary loss; this batch has 3 classes")
    sparse = loss.subjects(adapters.primitives("numpy"), swapped_places).bound[0].subject
    (soft,) = sparse.ask([Question({"logits": np.ones((2, 3)), "labels": np.ones((2, 3)) / 3})])
    assert soft.error.startswith("Unfit: it takes integer labels [N]")


def test_every_class_and_both_shapes_are_in_the_batches() -> None:
    for classes in (2, 3, 4, 10, 19):
        plan = plans.plans(signatures.Shape("f", signatures.POSITIONAL), Options())[0]
        labels = probing.sample(plan, classes + 2, classes)["labels"]
        assert set(labels) == set(range(classes))
