"""What natives declare of themselves at the edges is what they do, asked as losses of strangers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lossvet.adapters import spelling, unloaded

ASK = """
import inspect, json, sys
sys.path.insert(0, sys.argv[2])
import natives_as_losses
from lossvet import adapters
from lossvet.reference import variants
from lossvet.verify import edges, loss
from lossvet.verify.batches import Domain
from lossvet.verify.binding import Options
from lossvet.verify.session import Session
from lossvet.verify.variants import contract

framework = sys.argv[1]
primitives = adapters.primitives(framework)
SETTINGS = {"ignore_index": -100, "label_smoothing": 0.25}

def asked(native, variant, by):
    whole = natives_as_losses.loss(native, variant, by)
    names = [n for n in inspect.signature(whole).parameters]
    own = {k: v for k, v in SETTINGS.items() if k in names}
    roles = [n for n in names if n not in own]
    def call(*given, **named):
        return whole(**dict(zip(roles, given)), **named, **own)
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    call.__signature__ = inspect.Signature([inspect.Parameter(n, kind) for n in roles])
    return call, roles

for variant, own in natives_as_losses.natives(framework).items():
    labels = "sparse" if variants.load(variant).family == "sparse" else "dense"
    for recipe, native in own.items():
        if not recipe.startswith("native"):
            continue
        by = next((r for r, how in native.reductions.items() if not how), "none")
        call, roles = asked(native, variant, by)
        bind = {role: role for role in roles}
        bound = loss.subjects(primitives, call, Options(bind=bind, labels=labels)).bound
        side = next((b.subject for b in bound if b.binding.layout == "nc"), bound[0].subject)
        meant = contract(
            variant, by, sample_weight="sample_weight" in roles, label_smoothing=0.25,
            ignore_index=-100 if native.ignore_index else None,
        )
        dtype = "float64" if "float64" in native.dtypes else "float32"
        seen = edges.observed(Session(side, Domain(tuple(roles), labels, dtype=dtype)), meant)
        print(json.dumps([variant, recipe, by, {k: str(v) for k, v in seen.items()}]), flush=True)
"""


@pytest.mark.sweep
@pytest.mark.parametrize("framework", spelling.composed())
def test_natives_do_at_the_edges_what_they_declare(framework: str) -> None:
    pytest.importorskip({"tensorflow_v1": "tensorflow"}.get(framework, framework))
    words = [sys.executable, "-c", ASK, framework, str(Path(__file__).parent)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stderr[-3000:]
    natives, seen = unloaded.natives(framework), [json.loads(line) for line in done.stdout.splitlines()]
    assert natives is not None
    assert {(variant, recipe) for variant, recipe, *_ in seen} == {
        (variant, recipe) for variant, own in natives.items() for recipe in own if recipe.startswith("native")
    }
    for variant, recipe, by, found in seen:
        declared = natives[variant][recipe].edges
        if by == "none":  # what a mean of nothing gives is up to its users
            found = {"invalid_label": found["invalid_label"]} if "invalid_label" in found else {}
        assert {facet: found[facet] for facet in declared} == dict(declared), (variant, recipe)
        assert set(found) - set(declared) <= {"zero_denominator"}, (variant, recipe, "is not declared")
