"""What names a loss, and what is said where it names none."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from lossvet.verify import loading
from lossvet.verify.sources import (
    ContractSource,
    FileSource,
    FunctionSource,
    ModuleSource,
    RecipeSource,
    SourceError,
    VariantSource,
    parse,
)

HERE = Path(__file__).parent / "manners"
LOGITS, LABELS = np.array([[1.0, 2.0], [0.5, 0.0]]), np.array([1.0, 2.0])


pytestmark = pytest.mark.usefixtures("imports_put_back")


@pytest.mark.parametrize(
    ("spec", "source"),
    [
        ("torch:old/losses.py::ce", FileSource("torch", "old/losses.py", "ce")),
        ("jax:new.losses:ce", ModuleSource("jax", "new.losses", "ce")),
        ("numpy:losses.py::Losses.inner", FileSource("numpy", "losses.py", "Losses.inner")),
        ("variant:sparse", VariantSource("sparse")),
        (
            "variant:class_weight?denominator=weights&clip=added",
            VariantSource("class_weight", (("denominator", "weights"), ("clip", "added"))),
        ),
        ("recipe:torch/class_weight/composed", RecipeSource("torch", "class_weight", "composed")),
        ("losses/mine.contract.toml", ContractSource("losses/mine.contract.toml")),
    ],
)
def test_a_specification_is_parsed_and_written_again(spec: str, source: object) -> None:
    assert parse(spec) == source
    assert str(parse(spec)) == spec


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("pytorch:a.py::f", "no such framework: 'pytorch' (did you mean torch?)"),
        ("a.py", "expected FRAMEWORK:path/file.py::name"),
        ("torch:a.py:f", "write torch:a.py::f, with two colons"),
        ("torch:a.py", "write torch:a.py::name"),
        ("torch:losses.ce", "write torch:package.module:name"),
        ("torch:a.txt::f", "does not end in .py"),
        ("torch:a.py::f g", "'f g' is not the name of a function"),
        ("torch:a-b:f", "'a-b' is not the name of a module"),
        ("variant:clas_weight", "no such variant: 'clas_weight' (did you mean class_weight"),
        ("variant:sparse?denominator", "'denominator' is not facet=value"),
        ("recipe:torch/sparse", "expected recipe:FRAMEWORK/VARIANT/RECIPE"),
        ("recipe:toch/sparse/native", "did you mean torch?"),
        ("recipe:torch/spars/native", "did you mean sparse"),
        ("recipe:torch/smooth_terms/builtin", "there are: composed, native"),
    ],
)
def test_what_is_no_specification_is_refused_in_words(spec: str, words: str) -> None:
    with pytest.raises(SourceError) as caught:
        parse(spec)
    assert words in caught.value.sentence
    assert (caught.value.kind, caught.value.exit_code) == ("spec", 2)


def loaded(spec: str, folder: Path = HERE) -> float:
    source = parse(spec)
    assert isinstance(source, FunctionSource)
    return float(loading.load(source, str(folder))(LOGITS, LABELS))


def test_a_file_finds_its_neighbours() -> None:
    assert loaded("numpy:beside/losses.py::loss") == 3 * loaded("numpy:beside/losses.py::Losses.inner")


def test_a_file_of_a_package_may_import_relatively() -> None:
    assert loaded("numpy:package/inner/losses.py::loss") == 2 * loaded("numpy:heavy/losses.py::loss")


def test_relative_imports_need_no_init_file(tmp_path: Path) -> None:
    (tmp_path / "scale.py").write_text("SCALE = 5.0\n")
    (tmp_path / "mine.py").write_text("from .scale import SCALE\ndef loss(x, y):\n    return SCALE\n")
    assert loaded("numpy:mine.py::loss", tmp_path) == 5.0


def test_a_package_whose_init_file_cannot_be_imported_is_gone_around() -> None:
    assert loaded("numpy:heavy/losses.py::loss") > 0


def test_a_module_is_found_from_the_folder() -> None:
    assert loaded("numpy:package.inner.losses:loss") == 2 * loaded("numpy:losses:Losses.inner", HERE / "beside")


def test_a_module_is_found_in_src(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "losses_in_src.py").write_text("def loss(x, y):\n    return 9.0\n")
    assert loaded("numpy:losses_in_src:loss", tmp_path) == 9.0
    with pytest.raises(SourceError, match=r"there is no module loses_in_src \(did you mean losses_in_src\?\)"):
        loaded("numpy:loses_in_src:loss", tmp_path)


def test_a_file_whose_name_is_taken_is_still_that_file(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("def loss(x, y):\n    return 7.0\n")
    assert loaded("numpy:json.py::loss", tmp_path) == 7.0
    assert hasattr(sys.modules["json"], "loads")


@pytest.mark.parametrize(
    ("spec", "kind", "words"),
    [
        ("torch:numpy_loses.py::weighted", "file", "there is no file numpy_loses.py (did you mean numpy_losses.py"),
        ("torch:nowhere/a.py::f", "file", "its folder"),
        ("numpy:numpy_losses.py::weigted", "name", "numpy_losses.py has no 'weigted' (did you mean weighted?)"),
        ("numpy:beside/losses.py::Losses.iner", "name", "Losses has no 'iner' (did you mean inner?)"),
        ("numpy:beside/neighbour.py::SCALE", "not_callable", "SCALE in beside/neighbour.py is a float (3.0)"),
        ("numpy:imports_missing.py::loss", "import", "imports no_such_package_of_losses, which"),
        ("numpy:raises.py::loss", "import", "importing raises.py raised RuntimeError at raises.py:3: needs a GPU"),
        (
            "numpy:exits.py::loss",
            "exit",
            "importing exits.py exits the interpreter (exit code 1: run me with torchrun)",
        ),
        ("numpy:no_such_module:loss", "import", "there is no module no_such_module"),
        ("numpy:package.iner.losses:loss", "import", "there is no module package.iner (did you mean inner?)"),
        ("numpy:imports_missing:loss", "import", "imports_missing imports no_such_package_of_losses, which"),
    ],
)
def test_what_cannot_be_loaded_is_said_in_a_sentence(spec: str, kind: str, words: str) -> None:
    with pytest.raises(SourceError) as caught:
        loaded(spec)
    assert caught.value.kind == kind
    assert words in caught.value.sentence
    assert "\n" not in caught.value.sentence


def test_a_syntax_error_has_its_line(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def loss(logits, labels):\n    return logits +\n")
    (tmp_path / "whole.py").write_text("from broken import loss\n")
    with pytest.raises(SourceError, match=r"^broken\.py, line 2: invalid syntax: return logits \+$") as caught:
        loaded("numpy:broken.py::loss", tmp_path)
    assert caught.value.exit_code == 2
    with pytest.raises(SourceError, match=r"broken\.py, which whole\.py imports, line 2"):
        loaded("numpy:whole.py::loss", tmp_path)
