"""Keras computes with PyTorch where its adapter imports it; where it cannot, the adapter says what to do."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(map(importlib.util.find_spec, ("keras", "torch"))), reason="Keras or PyTorch is not installed"
    ),
]
ASKED = """
import os
from lossvet import adapters

before = dict(os.environ)
try:
    found = adapters.primitives("keras", isolated={isolated})
    print(found.keras.backend.backend(), type(found.keras.ops.ones(2)).__module__, end=" ")
except RuntimeError as error:
    print(error, end=" ")
print(before == os.environ)
"""
REFUSED = (
    "Keras's backend in this process is jax, expected torch: set KERAS_BACKEND=torch before Keras is imported, or use "
    "a separate process True"
)


def said(program: str, backend: str = "") -> str:
    """What a program prints, where the user's environment names this backend, if any."""
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    environment |= {"KERAS_BACKEND": backend} if backend else {}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()[-1]


def test_keras_computes_with_pytorch_and_the_environment_is_left_as_it_was() -> None:
    assert said(ASKED.format(isolated=False)) == "torch torch True"


def test_a_worker_has_its_own_backend_whatever_its_user_exports() -> None:
    assert said(ASKED.format(isolated=True), backend="jax") == "torch torch True"


@pytest.mark.parametrize("before", ["", "import keras"], ids=["named", "imported"])
def test_a_process_in_which_keras_has_another_backend_is_told_what_to_do(before: str) -> None:
    assert said(before + ASKED.format(isolated=False), backend="jax") == REFUSED
