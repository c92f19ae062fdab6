"""Errors of a loss over many classes in the frameworks that are installed, for the constants of wide rows; a minute.

Prints the table of docs/reference.md: the largest error of the loss and of its gradient in the logits, in u = 2^-24, in
float32, of rows with one logit x and C - 1 of 0, the first being the label: x from 8 to 20 in steps of 1/8.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

UNIT = 2.0**-24
CLASSES = (1_000, 50_000)
LARGEST = np.arange(8.0, 20.0, 0.125)
Gradient = Callable[[Any], tuple[Any, Any]]
"""The losses [N] and the gradients [N, C] of logits [N, C] whose labels are all 0."""


def torch(layout: str) -> Gradient:
    import torch

    torch.set_num_threads(1)

    def found(x: Any) -> tuple[Any, Any]:
        given = torch.tensor(x, requires_grad=True)
        y = torch.zeros(len(x), dtype=torch.int64)
        arguments = (given, y) if layout == "rows" else (given.T[None], y[None])
        loss = torch.nn.functional.cross_entropy(*arguments, reduction="none").reshape(-1)
        loss.sum().backward()
        return loss.detach().numpy(), given.grad.numpy()

    return found


def tensorflow(mode: str) -> Gradient:
    import tensorflow as tf

    def found(x: Any) -> tuple[Any, Any]:
        given, y = tf.constant(x), tf.zeros(len(x), tf.int32)

        @tf.function(jit_compile=mode == "xla")  # type: ignore[untyped-decorator]  # a framework is Any
        def both() -> Any:
            with tf.GradientTape() as tape:
                tape.watch(given)
                loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=given)
            return loss, tape.gradient(loss, given)

        loss, gradient = both() if mode == "xla" else both.python_function()
        return loss.numpy(), gradient.numpy()

    return found


def jax(mode: str) -> Gradient:
    import jax

    def loss(x: Any) -> Any:
        return -jax.nn.log_softmax(x)[:, 0]

    def found(x: Any) -> tuple[Any, Any]:
        both = jax.jit(lambda x: (loss(x), jax.grad(lambda x: loss(x).sum())(x)))(x)
        return np.asarray(both[0]), np.asarray(both[1])

    return found


ROWS: tuple[tuple[str, Callable[[str], Gradient], str, str], ...] = (
    *((f"PyTorch [N, C], {level}", torch, "rows", level) for level in ("default", "avx2", "avx512")),
    *((f"PyTorch [N, C, L], {level}", torch, "positions", level) for level in ("default", "avx2", "avx512")),
    ("TensorFlow, eager", tensorflow, "eager", ""),
    ("TensorFlow, XLA", tensorflow, "xla", ""),
    ("JAX, jit", jax, "jit", ""),
)
"""By row of the table: what computes, how, and the processor level at which PyTorch does."""


def errors(gradient: Gradient, classes: int) -> tuple[float, float]:
    """In u, the largest errors of the loss, and of the gradient: of the label's absolute, of the others' relative."""
    x = np.zeros((len(LARGEST), classes), np.float32)
    x[:, 0] = LARGEST
    loss, dx = gradient(x)
    small = np.exp(-LARGEST)
    others = (classes - 1) * small
    of_label, of_others = dx[:, 0] + others / (1 + others), dx[:, 1] * (1 + others) / small - 1
    parts = (loss - np.log1p(others), np.maximum(np.abs(of_label), np.abs(of_others)))
    return float(np.abs(parts[0]).max() / UNIT), float(parts[1].max() / UNIT)


def line(number: int) -> str:
    name, make, how, _ = ROWS[number]
    gradient = make(how)
    cells = [f"{error:,.0f}" for classes in CLASSES for error in errors(gradient, classes)]
    return f"| {name} | {' | '.join(cells)} |"


def main(arguments: list[str]) -> None:
    if arguments:
        print(line(int(arguments[0])))
        return
    print("| | C = 1,000: loss | gradient | C = 50,000: loss | gradient |\n|---|---|---|---|---|")
    for number, (name, _, _, level) in enumerate(ROWS):
        environment = os.environ | ({"ATEN_CPU_CAPABILITY": level} if level else {})
        done = subprocess.run([sys.executable, __file__, str(number)], capture_output=True, text=True, env=environment)
        print(done.stdout.strip() or f"| {name} | not on this machine | | | |")


if __name__ == "__main__":
    main(sys.argv[1:])
