"""`lossvet explain` of facets: every facet and value, the list of all, and what a mistyped name is met with."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from lossvet.commands.explain import command
from lossvet.conformance import explain as other
from lossvet.verify.explain import WIDTH, explain, names, overview
from lossvet.verify.facet import Facet
from lossvet.verify.facets import facets

FACETS = tuple(facets().values())


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("facet", FACETS, ids=lambda f: f.name)
def test_a_facet_is_explained_value_by_value(facet: Facet) -> None:
    text = explain(facet.name)
    assert text.splitlines()[0] == f"{facet.name}: {'an edge facet' if facet.edge else 'a facet'}"
    told = words(text)
    assert facet.asks in told
    assert f"{facet.name}={facet.default}, the default" in told
    for value in facet.values:
        assert f"The loss {value.says}. Training: {value.training} To write it: {value.change}" in told
    for number in facet.numbers:
        assert number in told


@pytest.mark.parametrize("facet", FACETS, ids=lambda f: f.name)
def test_a_value_is_explained_alone(facet: Facet) -> None:
    for value in facet.values:
        text = explain(f"{facet.name}={value.name}")
        assert text.startswith(f"{facet.name}={value.name}: a value of a facet")
        assert f"The loss {value.says}." in words(text)
        others = [v for v in facet.values if v.name != value.name]
        assert not any(f"The loss {v.says}." in words(text) for v in others)
        shown = facet.example is not None and value.name in facet.example.losses
        assert ("\nexample  " in text) == shown


def test_an_example_is_a_table_of_losses() -> None:
    text = explain("denominator")
    assert "example     logits [[2, 0, 0], [0, 1, 0]], labels [0, 1]\n" in text
    assert "            class_weight [1, 4, 3], weighting class_weight\n" in text
    assert "\n            batch                   1.222662\n" in text
    assert "\n            weights                 0.489065\n" in text


def test_a_value_is_shown_with_the_default_beside_it() -> None:
    rows = [line.split()[0] for line in explain("denominator=weights").splitlines() if line.startswith(" " * 12)]
    assert rows == ["class_weight", "batch", "weights"]


def test_an_example_of_probabilities_says_so() -> None:
    assert "example     probabilities [[0.6, 0.2], [0.3, 0.3]]" in explain("renormalised")


def test_all_facets_are_listed() -> None:
    text = explain("facets")
    for facet in FACETS:
        assert f"\n{facet.name:<21}{facet.asks}\n" in text
    before, after = text.split("Edge facets")
    assert "\nprecision  " in before
    assert "\nempty_batch  " in after
    assert "denominator_guard" not in after


@pytest.mark.parametrize("facet", FACETS, ids=lambda f: f.name)
def test_lines_fit_and_code_is_not_broken(facet: Facet) -> None:
    lines = explain(facet.name).partition(f"\n{facet.name}: a hazard")[0].splitlines()
    assert all(line.count("`") % 2 == 0 for line in lines)
    assert [line for line in lines if len(line) > WIDTH and "`" not in line] == []


def test_a_hazard_of_the_same_name_is_explained_as_well() -> None:
    shared = sorted({*facets(), "facets"} & {name for own in other.names().values() for name in own})
    assert "empty_batch" in shared
    for name in shared:
        assert explain(name).startswith(f"{name}: an edge facet\n")
        assert explain(name).endswith(f"\n\n{other.explain(name)}")


def test_the_overview_has_every_name_and_fits() -> None:
    listed = set(re.split(r"[\s,]+", overview()))
    assert set(names()) <= listed
    assert max(map(len, overview(80).splitlines())) <= 80


def test_other_names_are_explained_as_before() -> None:
    assert explain("pos_weight") == other.explain("pos_weight")


@pytest.mark.parametrize("name", ["ignored_infinite", "smooth_terms/ignored_infinite"])
def test_a_case_is_explained_with_its_hazards(name: str) -> None:
    text = explain(name)
    assert text.startswith(f"{name}: a case of ")
    assert "inf times a mask of 0 is NaN" in " ".join(text.split())
    assert "hazard masked_logit: " in text
    assert max(map(len, text.splitlines())) <= WIDTH


def test_a_variant_lists_its_recipes() -> None:
    assert "  recipe:torch/smooth_terms/  composed, native\n" in explain("smooth_terms") + "\n"


@pytest.mark.parametrize(
    ("mistyped", "met_with"),
    [
        ("denominatr", "did you mean denominator"),
        ("pos_wieght", "did you mean pos_weight"),
        ("ignored_infinit", "did you mean ignored_infinite"),
        ("class_for_batch", r"did you mean broadcast=class_for_batch\?"),
        ("nan", "zero_denominator=nan or invalid_label=nan"),
        ("denominator=wieghts", r"it has: batch, .*did you mean denominator=weights\?"),
        ("denominator=", "denominator has no value ''"),
        ("nothing like it at all", "`lossvet explain` lists all names"),
    ],
)
def test_a_mistyped_name_is_met_with_the_nearest(mistyped: str, met_with: str) -> None:
    with pytest.raises(KeyError, match=met_with):
        explain(mistyped)


def test_the_command_prints_facets_and_refuses_what_there_is_not() -> None:
    printed = CliRunner().invoke(command, ["denominator=weights"])
    assert printed.exit_code == 0
    assert printed.output == explain("denominator=weights") + "\n"
    refused = CliRunner().invoke(command, ["denominator=weight"])
    assert refused.exit_code == 2
    assert "did you mean denominator=weights?" in refused.output
