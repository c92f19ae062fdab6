"""Sides of verify in this process, for tests: a function over NumPy arrays, or over PyTorch tensors with gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lossvet.verify.questions import Answer, Question, cotangent

Loss = Callable[..., Any]


class NumpySide:
    def __init__(self, loss: Loss) -> None:
        self.loss = loss

    def ask(self, questions: Sequence[Question]) -> list[Answer]:
        return [self._answer(q) for q in questions]

    def _answer(self, question: Question) -> Answer:
        try:
            return Answer(np.asarray(self.loss(**question.inputs), dtype=np.float64), dtype="float64")
        except Exception as error:
            return Answer(error=f"{type(error).__name__}: {error}")


class TorchSide:
    def __init__(self, loss: Loss) -> None:
        self.loss = loss

    def ask(self, questions: Sequence[Question]) -> list[Answer]:
        return [self._answer(q) for q in questions]

    def _answer(self, question: Question) -> Answer:
        import torch

        try:
            tensors = {role: torch.tensor(np.asarray(array)) for role, array in question.inputs.items()}
            for leaf in question.leaves:
                tensors[leaf].requires_grad_()
            result = self.loss(**tensors)
            value = result.detach().numpy()
            if not question.leaves:
                return Answer(value, dtype="float64")
            seed = torch.tensor(cotangent(value.shape))
            found = torch.autograd.grad((seed * result).sum(), [tensors[leaf] for leaf in question.leaves])
            gradients = {leaf: g.numpy() for leaf, g in zip(question.leaves, found, strict=True)}
            return Answer(value, gradients, "float64")
        except Exception as error:
            return Answer(error=f"{type(error).__name__}: {error}")
