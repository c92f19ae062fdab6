"""The primitives of every framework, in every mode, against derivatives by hand; and that they leave the process alone.

Each framework runs in a process of its own (`primitives_asked.py`): the TF1 API needs one.
"""

from __future__ import annotations

import importlib.util
import os
import pickle
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the program that is imported from beside this file

from primitives_asked import ARRAYS, DTYPES, LEAVES

from lossvet import adapters

ASKED = Path(__file__).with_name("primitives_asked.py")
MODES = {
    "torch": ("eager", "compile"),
    "jax": ("eager", "jit"),
    "tensorflow": ("eager", "graph", "xla"),
    "tensorflow_v1": ("session",),
    "keras": ("eager",),
    "numpy": ("eager",),
}
TIERS: dict[str, Any] = {"numpy": (), "torch": (), "jax": pytest.mark.slow}
"""What takes seconds to start is not for everyday."""
CELLS = [
    pytest.param(name, mode, dtype, marks=TIERS.get(name, pytest.mark.sweep) if mode == modes[0] else pytest.mark.sweep)
    for name, modes in MODES.items()
    for mode in modes
    for dtype in DTYPES
]
NAMES = {name: pytest.param(name, marks=TIERS.get(name, pytest.mark.sweep)) for name in MODES}
DERIVING = [cell for cell in CELLS if cell.values[0] != "numpy"]
TOLERANCE = {"float32": 3e-6, "float64": 1e-14}
"""Some roundings of numbers below 30."""


def asked(*arguments: str, **environment: str) -> Any:
    """What the program answers."""
    package = arguments[1].partition("_")[0]
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    done = subprocess.run(
        [sys.executable, str(ASKED), *arguments], capture_output=True, env={**os.environ, **environment}, timeout=300
    )
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    return pickle.loads(done.stdout)


@cache
def first(name: str) -> dict[str, Any]:
    found: dict[str, Any] = asked("first", name)
    return found


@cache
def compiled(name: str) -> dict[str, Any]:
    found: dict[str, Any] = asked("compiled", name)
    return found


def answers(name: str, mode: str, dtype: str) -> Any:
    return (first if mode == MODES[name][0] else compiled)(name)[f"{mode}/{dtype}"]


def by_hand() -> dict[str, Any]:
    """With l = lse(x) - x_y, p = softmax(x), c the cotangent, s the scale: the losses are s w_y l."""
    x, y, w, s, c, u = (ARRAYS[k] for k in ("logits", "labels", "weight", "scale", "cotangent", "direction"))
    p, onehot = np.exp(x) / np.exp(x).sum(1, keepdims=True), np.eye(3)[y]
    plain = -np.log((p * onehot).sum(1))
    rows = s * w[y] * plain

    def gradient(along: Any) -> Any:
        return (along * s * w[y])[:, None] * (p - onehot)

    def hessian(along: Any) -> Any:
        return (along * s * w[y])[:, None] * (p * u - p * (p * u).sum(1, keepdims=True))

    total = w[y].sum()
    return {
        "forward": rows,
        "value": rows,
        "gradient logits": gradient(c),
        "gradient weight": (c * s * plain) @ onehot,
        "gradient scale": (c * w[y] * plain).sum(),
        "along ones": gradient(1.0),
        "along itself": gradient(2 * rows),
        "mean": rows.sum() / total,
        "mean gradient logits": gradient(1 / total),
        "mean gradient weight": (s * plain - rows.sum() / total) @ onehot / total,
        "hvp": hessian(c),
        "hvp along ones": hessian(1.0),
        "jvp value": rows,
        "jvp": (gradient(1.0) * u).sum(1) + rows,
    }


BY_HAND = by_hand()


def close(found: Any, true: Any, dtype: str) -> None:
    assert found.dtype == dtype
    assert found.shape == np.shape(true)
    np.testing.assert_allclose(found, true, atol=TOLERANCE[dtype], rtol=TOLERANCE[dtype])


def test_every_framework_is_listed_here() -> None:
    """What is not listed would not be tested."""
    assert {*adapters.names(), "numpy"} == MODES.keys()


@pytest.mark.parametrize("name", NAMES.values())
def test_the_modes_are_those_listed_here(name: str) -> None:
    """What is not listed would not be tested."""
    assert first(name)["modes"] == list(MODES[name])


@pytest.mark.parametrize(("name", "mode", "dtype"), CELLS)
def test_the_value(name: str, mode: str, dtype: str) -> None:
    close(answers(name, mode, dtype)["forward"], BY_HAND["forward"], dtype)


@pytest.mark.parametrize(("name", "mode", "dtype"), DERIVING)
@pytest.mark.parametrize("output", [k for k in BY_HAND if "hvp" not in k and "jvp" not in k])
def test_the_gradient(name: str, mode: str, dtype: str, output: str) -> None:
    close(answers(name, mode, dtype)[output], BY_HAND[output], dtype)


@pytest.mark.parametrize(("name", "mode", "dtype"), DERIVING)
def test_a_gradient_that_is_not_there_is_none_or_zero(name: str, mode: str, dtype: str) -> None:
    found = answers(name, mode, dtype)
    assert set(LEAVES) >= {"direction", "labels"}
    assert found["gradient labels"] is None, "integers have no gradient"
    into = found["gradient direction"]
    assert not into.any() if name == "jax" else into is None


@pytest.mark.parametrize(("name", "mode", "dtype"), DERIVING)
@pytest.mark.parametrize("output", ["hvp", "hvp along ones"])
def test_the_hessian_product(name: str, mode: str, dtype: str, output: str) -> None:
    found = answers(name, mode, dtype)
    if mode == "compile":
        assert found["second raised"].startswith("RuntimeError: ")
    else:
        close(found[output], BY_HAND[output], dtype)


@pytest.mark.parametrize(("name", "mode", "dtype"), DERIVING)
@pytest.mark.parametrize("output", ["jvp value", "jvp"])
def test_the_forward_derivative(name: str, mode: str, dtype: str, output: str) -> None:
    found = answers(name, mode, dtype)
    if name == "tensorflow_v1" or mode == "compile":
        assert found["tangent raised"].startswith("NotImplementedError: ")
    else:
        close(found[output], BY_HAND[output], dtype)


def test_numpy_has_no_derivatives() -> None:
    for dtype in DTYPES:
        found = answers("numpy", "eager", dtype)
        raised = {key: value for key, value in found.items() if key != "forward"}
        assert set(raised) == {f"{ask} raised" for ask in ("gradients", "reduced", "second", "tangent")}
        assert set(raised.values()) == {"NotImplementedError: NumPy has no derivatives"}


@pytest.mark.parametrize("name", NAMES.values())
def test_arrays_of_every_rank_are_placed_and_read(name: str) -> None:
    found = first(name)
    assert found["shapes"] == {key: array.shape for key, array in ARRAYS.items()}
    assert found["dtypes"] == {key: array.dtype.name for key, array in ARRAYS.items()}
    assert found["number"] == 2.5
    assert f"{name} has no mode 'quantum'; choose one of: {', '.join(MODES[name])}" == found["no such mode"]


@pytest.mark.parametrize("name", [NAMES[name] for name in MODES if name != "numpy"])
def test_bfloat16_is_read_as_float32(name: str) -> None:
    half = first(name)["half"]
    assert half.dtype == np.float32
    assert half.tolist() == [1.0, 1.0], "2^-9 is less than half an ulp"


@pytest.mark.parametrize("name", [NAMES[name] for name in MODES if name != "numpy"])
def test_primitives_serve_without_run(name: str) -> None:
    close(first(name)["apart"], BY_HAND["gradient logits"], "float64")
    assert first(name)["raises"] == "broken", "an exception of the function passes through"


def test_a_derivative_that_pytorch_refuses_raises() -> None:
    assert "not differentiable" in first("torch")["refused"]


@pytest.mark.slow
@pytest.mark.parametrize("how", ["as users have it", "quickly", "unknown"])
def test_what_jax_compiles_quickly_computes_the_same(how: str) -> None:
    found = first("jax")
    gradient, far = found[how]
    close(gradient, BY_HAND["gradient logits"], "float64")
    assert far == found["as users have it"][1], "what is rewritten in the graph is rewritten in both"
    assert found["quick options"], "this version of JAX knows them"
    assert not found["unknown options"], "and one that does not is left alone"


# The process of the caller --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [NAMES[name] for name in MODES if name != "tensorflow_v1"])
def test_the_process_is_left_as_it_was(name: str) -> None:
    assert first(name)["settings after"] == first(name)["settings before"]


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("name", "key", "environment"),
    [
        ("torch", "threads", {"OMP_NUM_THREADS": "2"}),
        ("tensorflow", "environment", {}),
        ("jax", "cache", {"LOSSVET_CACHE": os.devnull}),
    ],
)
def test_a_process_that_is_set_up_for_an_adapter_is_seen(name: str, key: str, environment: dict[str, str]) -> None:
    found = asked("load", name, **environment)
    assert found["settings after"][key] != found["settings before"][key]


@pytest.mark.sweep
def test_tensorflow_has_one_behaviour_in_a_process() -> None:
    assert "already run operations eagerly" in first("tensorflow")["other behaviour"]
    assert "TF1 behaviour in this process" in first("tensorflow_v1")["other behaviour"]


def test_numpy_is_no_framework_of_a_run() -> None:
    assert "numpy" not in adapters.names()
    assert adapters.primitives("numpy").name == "numpy"
    with pytest.raises(KeyError, match="no such primitives: 'fortran'"):
        adapters.primitives("fortran")
    with pytest.raises(KeyError, match="no such primitives:"):
        adapters.primitives("../torch")
