"""`lossvet explain` of a function of a framework: found by whatever its users call it, without the framework."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from lossvet import adapters
from lossvet.adapters import spelling, unloaded
from lossvet.adapters.types import Native
from lossvet.commands.explain import command
from lossvet.conformance import apart, explain, functions
from lossvet.reference import variants
from lossvet.verify.explain import explain as explained

KNOWN = list(functions.spelled())


def variants_of(name: str) -> set[str]:
    return {one.variant for one in functions.matching(name, KNOWN) if one.own}


OWN = [one for one in KNOWN if one.own]


@pytest.mark.parametrize("one", OWN, ids=lambda o: f"{o.framework}-{o.variant}-{o.recipe}")
def test_every_function_is_found_as_it_is_spelled(one: functions.Spelled) -> None:
    for name in (one.native.spelling, one.native.spelling.partition("(")[0], one.calls[0], *one.native.also):
        assert one in functions.matching(name, KNOWN), name
    text = explained(one.native.spelling)
    assert one.native.spelling in text
    assert f"{one.variant}, labels" in text


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("F.cross_entropy", {"softmax", "sparse", "class_weight_terms", "sparse_class_weight", "smooth_terms"}),
        ("torch.nn.functional.cross_entropy", variants_of("F.cross_entropy")),
        ("nn.CrossEntropyLoss(weight=w)", variants_of("F.cross_entropy")),
        ("sparse_softmax_cross_entropy", {"sparse", "sparse_class_weight", "predicted_weight", "cost_realized"}),
        ("tf.losses.sparse_softmax_cross_entropy", variants_of("sparse_softmax_cross_entropy")),
        ("CategoricalCrossentropy", {"softmax", "class_weight", "smooth_after"}),
        ("keras.losses.categoricalcrossentropy", {"softmax", "class_weight", "smooth_after"}),
        ("tf.nn.weighted_cross_entropy_with_logits", {"pos_weight"}),
        ("optax.softmax_cross_entropy", {"softmax"}),
        ("x.mean", set()),
        ("", set()),
    ],
)
def test_a_function_leads_to_its_variants(name: str, found: set[str]) -> None:
    assert variants_of(name) == found


@pytest.mark.slow
@pytest.mark.parametrize("framework", spelling.composed())
def test_what_is_read_without_a_framework_is_what_its_adapter_has(framework: str) -> None:
    read = unloaded.natives(framework)
    assert read is not None
    done = subprocess.run([sys.executable, "-c", ADAPTER, framework], capture_output=True, text=True, timeout=300)
    if "ModuleNotFoundError" in done.stderr:
        pytest.skip(f"{framework} is not installed")
    assert done.stdout.splitlines() == list(map(repr, lines(read))), done.stderr[-2000:]


def lines(table: object) -> list[tuple[object, ...]]:
    assert isinstance(table, dict)
    return [
        (variant, recipe, n.spelling, dict(n.reductions), n.also, dict(n.edges))
        for variant, own in table.items()
        for recipe, n in own.items()
    ]


ADAPTER = """
import sys
from lossvet import adapters
for variant, own in adapters.load(sys.argv[1]).native.items():
    for recipe, n in own.items():
        print((variant, recipe, n.spelling, dict(n.reductions), n.also, dict(n.edges)))
"""


def test_no_framework_is_imported() -> None:
    code = (
        "import sys\nfrom lossvet.verify.explain import explain\nexplain('F.cross_entropy')\n"
        "print(sorted({'torch', 'tensorflow', 'jax', 'optax', 'keras'} & sys.modules.keys()))"
    )
    start = time.process_time()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert time.process_time() - start < 5


def test_what_cannot_be_read_is_imported_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    class Other:
        native = {"sparse": {"native": Native(lambda *a: None, "other.their_loss(x, y)")}}  # noqa: RUF012  # as an adapter has it

    said: list[str] = []
    monkeypatch.setattr(adapters, "names", lambda: ("other",))
    monkeypatch.setattr(adapters, "load", lambda name: Other)
    assert "sparse, labels [N] of integers" in explain.explain("their_loss", said.append)
    assert said == ["other"]


@pytest.mark.parametrize("group", apart.GROUPS, ids=lambda g: next(iter(g.lines)))
def test_variants_that_are_taken_for_one_another_part(group: apart.Apart) -> None:
    assert set(group.lines) <= set(variants.names())
    first = group.rows[0]
    values = [apart._loss(name, group.params, first) for name in apart._taking(group, first)]
    assert len(values) > 1
    assert len(set(values)) == len(values), "the row does not tell them apart"
    for name in group.lines:
        assert "Which is mine:" in explain.explain(name)


def test_three_lines_say_which_of_three_is_mine() -> None:
    text = explained("F.cross_entropy")
    assert "class_weight         labels [N, C]; a row's loss is multiplied by one number, w . t\n" in text
    assert "the label [0.5, 0.5, 0]: class_weight 1.4623, class_weight_terms 2.2123\n" in text


def test_a_mistyped_function_is_met_with_the_nearest() -> None:
    refused = CliRunner().invoke(command, ["nn.CrossEntropyLos"])
    assert refused.exit_code == 2
    assert "did you mean CrossEntropyLoss" in refused.output


def test_a_reduction_lists_the_functions_that_reduce_so() -> None:
    assert "PyTorch: F.cross_entropy by default" in explained("weighted_mean")
