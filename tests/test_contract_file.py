"""Contract files: what is written is read back, and every mistake is met with its line."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import verify_answers as answers

import lossvet
from lossvet.verify import contract_file, contract_words
from lossvet.verify.contract import Contract, Setting, numbers
from lossvet.verify.contract_file import ContractFile, ContractFileError
from lossvet.verify.facets import facets

FULL = Contract.of(
    weighting=("mask", "class_weight"), denominator="weights", clip="added", clip_epsilon=1e-7, ignored="label",
    ignored_label=-100.0,
)  # fmt: skip


def written(found: ContractFile, folder: Path) -> ContractFile:
    path = folder / "it.contract.toml"
    contract_file.write(found, path)
    return contract_file.read(path)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    found = ContractFile(FULL, "torch:lib/losses.py::ce", "torch", "2.13.0", "0.1.0")
    assert written(found, tmp_path) == found


@st.composite
def contracts(draw: st.DrawFn) -> Contract:
    chosen: dict[str, Setting] = {}
    for name in draw(st.sets(st.sampled_from(sorted(facets())), max_size=6)):
        values = st.sampled_from([v.name for v in facets()[name].values])
        chosen[name] = tuple(draw(st.sets(values, max_size=4))) if name == "weighting" else draw(values)
    for name in chosen and draw(st.sets(st.sampled_from(sorted(numbers())), max_size=9)):
        chosen[name] = draw(st.floats(allow_nan=False))
        if name == contract_file.VECTOR:
            chosen[name] = tuple(draw(st.lists(st.floats(allow_nan=False), max_size=3)))
    return Contract.of(chosen)


@settings(max_examples=60, deadline=None)
@given(contracts(), st.text(max_size=30))
def test_every_contract_and_every_name_survive(tmp_path_factory: pytest.TempPathFactory, c: Contract, s: str) -> None:
    kept = s.encode("utf-8", "replace").decode()
    found = ContractFile(c, kept, "torch", kept, lossvet.__version__)
    assert written(found, tmp_path_factory.mktemp("files")) == found


def test_edges_with_a_value_for_each_input_survive_and_are_told(tmp_path: Path) -> None:
    edges = "too large: raises, -1: wraps, -100: raises"
    found = ContractFile(Contract.of(invalid_label=edges), "x", "torch", "1", "0.1.0")
    assert written(found, tmp_path) == found
    says = {v.name: v.says for v in facets()["invalid_label"].values}
    (told,) = contract_words.told(found.contract)
    assert told.sentence == f"Too large, -100: the loss {says['raises']}; -1: the loss {says['wraps']}."
    assert told.edge
    bad = 'schema = 1\n[contract]\ninvalid_label = "too large: raises, -1: warps"\n'
    assert mistakes(bad, tmp_path) == [":3: invalid_label has no value 'warps'; did you mean wraps?"]


def test_numbers_that_are_several_survive(tmp_path: Path) -> None:
    found = ContractFile(
        Contract.of(weighting="class_weight", weights_from="constant", constants=(1.0, 4.5)), "x", "torch", "1", "0.1.0"
    )
    assert written(found, tmp_path) == found
    assert "constants = [1, 4.5]" in contract_file.text(found)


def test_the_file_is_stable_says_its_source_and_explains_each_facet() -> None:
    text = contract_file.text(contract_file.of(answers.OLD))
    assert text == contract_file.text(contract_file.of(answers.OLD))
    document = tomllib.loads(text)
    assert document["schema"] == 1
    assert document["lossvet"] == lossvet.__version__
    assert document["identified"] == {
        "spec": "torch:old/losses.py::weighted_ce",
        "framework": "torch",
        "version": "2.13.0",
    }
    assert document["contract"] == {"weighting": ["class_weight"], "denominator": "weights"}
    lines = text.splitlines()
    says = facets()["denominator"].value("weights").says
    comment = " ".join(line.removeprefix("# ") for line in lines if line.startswith("#"))
    assert f"The loss {says}." in comment
    assert lines[lines.index('denominator = "weights"') - 1].startswith("# ")
    assert max(map(len, lines)) <= contract_file.WIDTH


@pytest.mark.parametrize(
    ("identified", "words"),
    [
        (answers.AMBIGUOUS, "2 contracts explain every probe"),
        (answers.UNEXPLAINED.target, "no contract explains it"),
        (answers.CANNOT_JUDGE.target, "cannot be judged"),
        (msgspec.structs.replace(answers.OLD, candidates=()), "cannot be judged"),
    ],
)
def test_nothing_is_written_that_is_not_known(identified: answers.Identified, words: str) -> None:
    with pytest.raises(ContractFileError, match=words):
        contract_file.of(identified)


def test_the_name_must_end_as_it_should(tmp_path: Path) -> None:
    with pytest.raises(ContractFileError, match=r"must end in \.contract\.toml"):
        contract_file.write(ContractFile(FULL), tmp_path / "it.toml")


def mistakes(text: str | bytes, folder: Path) -> list[str]:
    path = folder / "bad.contract.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ContractFileError) as caught:
        contract_file.read(path)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(str(path)) for line in lines)
    return [line.removeprefix(str(path)) for line in lines]


def test_all_mistakes_are_told_at_once_each_with_its_line(tmp_path: Path) -> None:
    text = """schema = 1
schem = 2
[identified]
spec = 3
versio = "2"
[contract]
denominater = "weights"
denominator = "weigths"
weighting = ["class_weigt", 3]
clip_epsilon = "x"
ignored_label = true
smoothing = 0.1
"""
    found = mistakes(text, tmp_path)
    for line, wanted in (
        (2, "a contract file has no 'schem'; did you mean schema?"),
        (4, "spec is 3; expected a string"),
        (5, "[identified] has no 'versio'; did you mean version?"),
        (7, "no such facet: 'denominater'; did you mean denominator?"),
        (8, "denominator has no value 'weigths'; did you mean weights?"),
        (9, "weighting has no value 'class_weigt'; did you mean class_weight?"),
        (9, "weighting is 3; expected one of: none"),
        (10, "clip_epsilon is 'x'; expected a number"),
        (11, "ignored_label is True; expected a number"),
        (12, "smoothing is 0.1; expected one of"),
    ):
        assert any(f.startswith(f":{line}:") and wanted in f for f in found), (line, wanted, found)
    assert len(found) == 10


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('schema = 1\n[contract]\ndenominator = "weights', ":3:"),
        ("[contract]\n", "schema is missing"),
        ("schema = 2\n[contract]\n", "schema is 2; this lossvet"),
        ("schema = 1\n", r"the table \[contract\] is missing"),
        ("schema = 1\ncontract = 3\n", "contract is 3; expected a table"),
        ("schema = true\n[contract]\n", "schema is True; expected int"),
        (b"schema = 1\n# \xff\n[contract]\n", "not UTF-8 text"),
    ],
)
def test_one_mistake(text: str | bytes, words: str, tmp_path: Path) -> None:
    import re

    found = mistakes(text, tmp_path)
    assert any(re.search(words, f) for f in found), found


def test_a_name_that_stands_in_two_tables_is_found_in_the_right_one(tmp_path: Path) -> None:
    text = 'schema = 1\n[identified]\nspec = ""\n[contract]\nspec = "x"\n'
    (found,) = mistakes(text, tmp_path)
    assert found.startswith(":5:")
