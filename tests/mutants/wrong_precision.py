"""Losses of the right meaning that lose digits, overflow, or answer in another shape or dtype."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from mutants.frames import Collection, control_rows
from mutants.wrong_gradient import altered

LOSSES = Collection()
rows, reduces, whole = LOSSES.rows, LOSSES.reduces, LOSSES.whole
SINGLE, DOUBLE = ("float32",), ("float64",)


def nll(x: Any, y: Any) -> Any:
    return F.cross_entropy(x, y, reduction="none")


# Silent casts


@rows("sparse")
def cast_to_bfloat16(x: Any, y: Any, p: Any) -> Any:
    """The whole loss runs in bfloat16."""
    return nll(x.bfloat16(), y).to(x.dtype)


@rows("sparse")
def cast_to_float16(x: Any, y: Any, p: Any) -> Any:
    """The whole loss runs in float16."""
    return nll(x.half(), y).to(x.dtype)


@rows("pos_weight", SINGLE)
def cast_float32_only(x: Any, t: Any, p: Any) -> Any:
    """float32 passes through bfloat16; float64 has a kernel of its own."""
    narrow = x.bfloat16().to(x.dtype) if x.dtype == torch.float32 else x
    return -p.pos_weight * t * F.logsigmoid(narrow) - (1 - t) * F.logsigmoid(-narrow)


@rows("softmax", DOUBLE)
def cast_to_float32(x: Any, t: Any, p: Any) -> Any:
    """Computes in float32 whatever it is given."""
    return F.cross_entropy(x.float(), t.float(), reduction="none").to(x.dtype)


@rows("pos_weight", DOUBLE)
def weight_in_float32(x: Any, t: Any, p: Any) -> Any:
    """pos_weight became a float32 tensor on the way."""
    q = p.pos_weight.float().to(x.dtype)
    return -q * t * F.logsigmoid(x) - (1 - t) * F.logsigmoid(-x)


@rows("sparse_class_weight")
def weight_in_bfloat16(x: Any, y: Any, p: Any) -> Any:
    """The weights of the classes are kept in bfloat16."""
    return nll(x, y) * p.class_weight.bfloat16().to(x.dtype)[y]


@rows("class_weight", DOUBLE)
def labels_in_float32(x: Any, t: Any, p: Any) -> Any:
    """Soft labels are read as float32."""
    t = t.float().to(x.dtype)
    return (p.class_weight * t).sum(-1) * F.cross_entropy(x, t, reduction="none")


@reduces("sparse", "mean")
def mean_in_bfloat16(losses: Any, weights: Any, kept: Any) -> Any:
    """Losses are averaged in bfloat16."""
    return (losses.bfloat16().sum() / kept.sum()).to(losses.dtype)


@reduces("sigmoid", "sum")
def sum_in_float16(losses: Any, weights: Any, kept: Any) -> Any:
    """Losses are added in float16."""
    return losses.half().sum().to(losses.dtype)


@rows("sparse")
def gradient_in_bfloat16(x: Any, y: Any, p: Any) -> Any:
    """The gradient is stored in bfloat16 on its way back."""
    return nll(altered(x, lambda g: g.bfloat16().to(g.dtype)), y)


@rows("cost_expected", DOUBLE)
def gradient_in_float32(x: Any, y: Any, p: Any) -> Any:
    """The gradient is stored in float32 on its way back."""
    return (altered(x, lambda g: g.float().to(g.dtype)).softmax(-1) * p.cost_matrix[y]).sum(-1)


@rows("cost_expected")
def product_in_tensor_cores(x: Any, y: Any, p: Any) -> Any:
    """Probabilities are cut to 10 bits for a matrix product, as in float16 tensor cores."""
    return (x.softmax(-1).half().to(x.dtype) * p.cost_matrix[y]).sum(-1)


@rows("smooth_after", DOUBLE)
def smoothing_in_float32(x: Any, y: Any, p: Any) -> Any:
    """The share of the other classes is a float32 constant."""
    a = torch.tensor(p.label_smoothing, dtype=torch.float32).to(x.dtype)
    log_p = x.log_softmax(-1)
    return p.class_weight[y] * ((1 - a) * -log_p.gather(-1, y[:, None])[:, 0] - a * log_p.mean(-1))


# Thresholds, tails and overflow


@rows("sigmoid", DOUBLE)
def softplus_threshold(x: Any, t: Any, p: Any) -> Any:
    """F.softplus answers x itself above 20."""
    return t * F.softplus(-x) + (1 - t) * F.softplus(x)


@rows("dynamic_pos_weight", DOUBLE)
def softplus_threshold_dynamic(x: Any, t: Any, p: Any) -> Any:
    """F.softplus answers x itself above 20, here under weights from the batch."""
    q = len(t) / (t.sum(0) + 1e-6)
    return q * t * F.softplus(-x) + (1 - t) * F.softplus(x)


@rows("sigmoid")
def exponential_overflows(x: Any, t: Any, p: Any) -> Any:
    """log(1 + exp(x)) as it is written in the book."""
    return t * torch.log(1 + torch.exp(-x)) + (1 - t) * torch.log(1 + torch.exp(x))


@rows("sigmoid")
def log_of_sigmoid(x: Any, t: Any, p: Any) -> Any:
    """log(sigmoid(x)) and log(1 - sigmoid(x)): infinite for sure decisions."""
    s = torch.sigmoid(x)
    return -t * s.log() - (1 - t) * (1 - s).log()


@rows("sparse")
def no_max_trick(x: Any, y: Any, p: Any) -> Any:
    """log(sum(exp(x))) without the maximum."""
    return x.exp().sum(-1).log() - x.gather(-1, y[:, None])[:, 0]


@rows("sparse")
def log_of_softmax(x: Any, y: Any, p: Any) -> Any:
    """log(softmax(x)): infinite where the probability underflows."""
    return -x.softmax(-1).log().gather(-1, y[:, None])[:, 0]


@rows("sparse")
def mask_of_finite_size(x: Any, y: Any, p: Any) -> Any:
    """Logits are cut to [-50, 50] against overflow."""
    return nll(x.clamp(-50, 50), y)


@rows("class_weight")
def zero_times_infinity(x: Any, t: Any, p: Any) -> Any:
    """Labels of 0 meet log-probabilities of -inf: NaN where a class is masked, and right elsewhere."""
    return (p.class_weight * t).sum(-1) * -(t * x.log_softmax(-1)).sum(-1)


@whole("sparse", "none", "sum")
def ignored_by_multiplication(x: Any, y: Any, p: Any, reduction: str) -> Any:
    """Ignored rows are multiplied by 0, which does not undo an infinite loss."""
    ignored = y == p.ignore_index
    losses = nll(x, y.masked_fill(ignored, 0)) * p.sample_weight * (~ignored).to(x.dtype)
    return losses if reduction == "none" else losses.sum()


# Shapes and dtypes


@whole("sparse", "none")
def keeps_a_column(x: Any, y: Any, p: Any, reduction: str) -> Any:
    """Losses of shape [N, 1]."""
    return control_rows("sparse", x, y, p)[0][:, None]


@whole("sparse", "none", "sum")
def reduces_unasked(x: Any, y: Any, p: Any, reduction: str) -> Any:
    """The sum, where no reduction was asked for."""
    return control_rows("sparse", x, y, p)[0].sum()


@whole("softmax", "none", "mean")
def mean_of_shape_one(x: Any, t: Any, p: Any, reduction: str) -> Any:
    """A mean of shape [1]."""
    losses = control_rows("softmax", x, t, p)[0]
    return losses if reduction == "none" else losses.mean(0, keepdim=True)


@rows("sparse", SINGLE)
def answers_in_float64(x: Any, y: Any, p: Any) -> Any:
    """A float64 loss of float32 logits."""
    return nll(x.double(), y)


@rows("sparse", DOUBLE)
def answers_in_float32(x: Any, y: Any, p: Any) -> Any:
    """A float32 loss of float64 logits."""
    return nll(x, y).float()
