"""Code to paste of every recipe: what is lifted out of an adapter computes what was judged, to the bit."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from lossvet.adapters import spelling
from lossvet.reports.site import lifted, recipe_code

sys.path.insert(0, str(Path(__file__).parent))

from test_moves import ways

from lossvet.reference import variants

RUN = """
import json, sys
import numpy as np
from lossvet import adapters
from lossvet.adapters.types import recipes
from lossvet.reference import variants, vectors
from lossvet.reports.site import lifted

name = sys.argv[1]
adapter = adapters.load(name)
primitives = adapter.primitives
LETTERS = {letter: param for param, letter in lifted.LETTERS.items()}

def value(params, letter, n):
    found = getattr(params, LETTERS.get(letter, letter))
    return np.ones(n) if found is None else found

found = {}
for variant in map(variants.load, variants.names()):
    for recipe in recipes(adapter, variant).values():
        text = "" if recipe.native is None else lifted.code(name, variant.name, recipe.name)
        if not text:
            continue
        space, same = {}, 0
        exec(text, space)
        taken = space["losses"].__code__.co_varnames[:space["losses"].__code__.co_argcount][2:]
        for golden in vectors.load(variant.name):
            case = golden.case
            if case.bits > 24 or case.logits.shape != (3, 3):
                continue
            if variant.family == "sparse":
                held = (case.labels >= 0) & (case.labels < 3)
                if not (held | (case.labels == case.params.ignore_index) & ("ignore_index" in taken)).all():
                    continue
            if getattr(case.params, "sample_weight", None) is not None and "v" not in taken:
                continue
            call = adapter.prepare(recipe, case, adapter.modes[0], "float32", "cpu", ("loss/none",))
            judged = adapter.read(call())["loss/none"]
            if type(judged).__name__ != "Measured":
                continue
            given = [case.logits, case.labels, *(value(case.params, letter, len(case.logits)) for letter in taken)]
            arrays = [primitives.put(a, "float32") if isinstance(a, np.ndarray) else a for a in given]
            pasted = primitives.read(space["losses"](*arrays))
            np.testing.assert_array_equal(pasted, judged.value, err_msg=f"{recipe.name} {case.id}")
            same += 1
        found[f"{variant.name}/{recipe.name}"] = same
print(json.dumps(found))
"""


@pytest.mark.parametrize(
    "framework",
    [pytest.param(f, marks=() if f == "torch" else pytest.mark.sweep) for f in ("torch", "jax", "tensorflow")],
)
def test_what_is_lifted_computes_what_was_judged(framework: str) -> None:
    pytest.importorskip(framework)
    done = subprocess.run([sys.executable, "-c", RUN, framework], capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    compared = json.loads(done.stdout.splitlines()[-1])
    assert len(compared) > 9
    assert all(compared.values()), compared


@pytest.mark.parametrize("framework", spelling.composed())
@pytest.mark.parametrize("variant", variants.names())
def test_every_recipe_has_code_with_one_function_to_call(framework: str, variant: str) -> None:
    for s in ways(variant)[framework]:
        text = recipe_code.code(s)
        tree = ast.parse(text)
        assert [n.name for n in tree.body if isinstance(n, ast.FunctionDef)][-1:] == ["loss"], (s.recipe, s.spelling)
        for words in ("ops", "params", "lossvet", "Any", "Native"):
            assert words not in {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}, text
        modules = {a.asname or a.name for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom) for a in n.names}
        assert modules, text


def test_code_follows_its_source() -> None:
    tree = ast.parse(
        "def _fast(torch):\n"
        "    half = torch.half\n"
        "    def made(weight, smoothing=False):\n"
        "        def call(x, y, params, reduction):\n"
        "            share = params.label_smoothing if smoothing else 0.0\n"
        "            return weight(params, x, y) * half(x, share)\n"
        "        return Native(call, 'words')\n"
        "    return {'v': made(lambda p, x, y: p.class_weight[y], smoothing=True)}\n"
        "def recipes(torch):\n"
        "    return _fast(torch)\n"
    )
    (function, _) = (n for n in tree.body if isinstance(n, ast.FunctionDef))
    text = lifted._Lift(tree, function, spelling.dialect("torch")).module(lifted._table(function)["v"])
    assert "def losses(x, y, w, a):\n    share = a\n    return w[y] * half(x, share)" in text
    assert "half = torch.half" in text
    assert text.startswith("import torch\n")
