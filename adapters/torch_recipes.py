"""Losses as PyTorch users write them, in addition to its own: `common`, as usually written, and `fast`, eager on a CPU.

Eager PyTorch passes over memory once for every operation. `fast` works in chunks of rows that stay in the cache for all
operations, and computes the gradient in the logits along with the loss. That gradient serves one backward pass, which
multiplies it by the cotangent in place; everything else uses a plain formula of the same loss.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from lossvet.adapters.types import Native

DENSE, BINARY = 1 << 18, 1 << 17
"""Elements of a chunk: with the buffers of a kernel, one to three megabytes."""
HUGE = 1 << 25
"""Bytes. Smaller buffers glibc keeps for the next call; larger ones it gives back, and their pages fault again."""


def recipes(torch: Any) -> Mapping[str, Mapping[str, Native]]:
    """Variant -> recipe -> the loss, unreduced."""
    fast, common = _fast(torch), _common(torch.nn.functional)
    return {name: {**({"common": common[name]} if name in common else {}), "fast": fast[name]} for name in fast}


def _common(functional: Any) -> dict[str, Native]:
    def class_weight(x: Any, t: Any, w: Any) -> Any:
        return (w * t).sum(1) * functional.cross_entropy(x, t, reduction="none")

    def one_hot(x: Any, y: Any) -> Any:
        return functional.one_hot(y, x.shape[1]).to(x.dtype)

    def dynamic(x: Any, t: Any) -> Any:
        q = len(t) / (t.sum(0) + 1e-6)
        return functional.binary_cross_entropy_with_logits(x, t, pos_weight=q, reduction="none")

    return {
        "class_weight": Native(
            lambda x, t, p, reduction: class_weight(x, t, p.class_weight),
            '(w * t).sum(1) * F.cross_entropy(x, t, reduction="none")',
        ),
        "sparse_class_weight": Native(
            lambda x, y, p, reduction: class_weight(x, one_hot(x, y), p.class_weight),
            't = F.one_hot(y, C); (w * t).sum(1) * F.cross_entropy(x, t, reduction="none")',
        ),
        "dynamic_pos_weight": Native(
            lambda x, t, p, reduction: dynamic(x, t),
            "q = len(t) / (t.sum(0) + 1e-6); F.binary_cross_entropy_with_logits(x, t, pos_weight=q)",
            no_gradient=("labels",),  # F has none in pos_weight, through which that in the labels goes
        ),
    }


def _fast(torch: Any) -> dict[str, Native]:
    forward, eager = _forward(torch), ("eager",)

    def dense(x: Any, t: Any) -> Any:
        return forward(torch, _dense_plain, _dense, x, t)

    def binary(x: Any, t: Any, q: Any) -> Any:
        return forward(torch, _binary_plain, _binary, x, t, q)

    def integer(words: str, weight: Callable[..., Any], smoothing: bool = False) -> Native:
        def call(x: Any, y: Any, params: Any, reduction: Any) -> Any:
            kept = y != params.ignore_index
            y, share = y.where(kept, 0), params.label_smoothing if smoothing else 0.0
            loss = forward(torch, _integer_plain, _integer, x, y, kept, share)
            return (weight(params, x, y) * loss).where(kept, 0) * params.sample_weight

        return Native(call, f"{words}, in chunks", sample_weight=True, ignore_index=True, modes=eager)

    return {
        "class_weight": Native(
            lambda x, t, p, reduction: t @ p.class_weight * dense(x, t) * p.sample_weight,
            "t @ w * F.cross_entropy(x, t, reduction='none'), in chunks",
            sample_weight=True,
            modes=eager,
        ),
        "sparse": integer("F.cross_entropy(x, y)", lambda p, x, y: 1),
        "sparse_class_weight": integer(
            "w[y] * F.cross_entropy(x, y, reduction='none')", lambda p, x, y: p.class_weight[y]
        ),
        "predicted_weight": integer(
            "w[x.argmax(1)] * F.cross_entropy(x, y, reduction='none')",
            lambda p, x, y: p.class_weight[x.detach().argmax(1)],
        ),
        "cost_realized": integer(
            "M[y, x.argmax(1)] * F.cross_entropy(x, y, reduction='none')",
            lambda p, x, y: p.cost_matrix[y, x.detach().argmax(1)],
        ),
        "smooth_after": integer(
            "w[y] * F.cross_entropy(x, y, label_smoothing=a, reduction='none')",
            lambda p, x, y: p.class_weight[y],
            smoothing=True,
        ),
        "smooth_sample": integer(
            "((1 - a) * w[y] + a * w.mean()) * F.cross_entropy(x, y, label_smoothing=a, reduction='none')",
            lambda p, x, y: (1 - p.label_smoothing) * p.class_weight[y] + p.label_smoothing * p.class_weight.mean(),
            smoothing=True,
        ),
        "pos_weight": Native(
            lambda x, t, p, reduction: binary(x, t, p.pos_weight),
            "q t softplus(-x) + (1 - t) softplus(x), in chunks",
            modes=eager,
        ),
        "dynamic_pos_weight": Native(
            lambda x, t, p, reduction: binary(x, t, x.shape[0] / (x.new_ones(x.shape[0]) @ t + 1e-6)),
            "pos_weight with q = N / (ones(N) @ t + 1e-6), in chunks",
            modes=eager,
        ),
    }


def _forward(torch: Any) -> Callable[..., Any]:
    class Forward(torch.autograd.Function):  # type: ignore[misc]  # a framework is Any
        """plain(torch, *inputs) as kernel(torch, wanted, *inputs) computes it: the loss and, if wanted, d sum / dx."""

        @staticmethod
        def forward(ctx: Any, torch: Any, plain: Any, kernel: Any, *inputs: Any) -> Any:
            ctx.torch, ctx.plain = torch, plain
            ctx.settings = [None if torch.is_tensor(given) else given for given in inputs]
            ctx.save_for_backward(*(given for given in inputs if torch.is_tensor(given)))
            loss, ctx.gradient = kernel(torch, ctx.needs_input_grad[3], *inputs)
            return loss

        @staticmethod
        def backward(ctx: Any, cotangent: Any) -> Any:
            torch, needs = ctx.torch, ctx.needs_input_grad[3:]
            gradient, ctx.gradient = ctx.gradient, None  # ours to overwrite, once
            differentiable = torch.is_grad_enabled()
            if gradient is not None and not differentiable and not any(needs[1:]):
                along = cotangent.reshape(cotangent.shape + (1,) * (gradient.dim() - cotangent.dim()))
                return None, None, None, gradient.mul_(along), *[None] * (len(needs) - 1)
            saved = iter(ctx.saved_tensors)
            with torch.enable_grad():
                # Views, or what one input has from another would be counted here as well as behind this function.
                inputs = [(x := next(saved)).view_as(x) if given is None else given for given in ctx.settings]
                into = [given for given, need in zip(inputs, needs, strict=True) if need]
                value = ctx.plain(torch, *inputs)
                found = iter(torch.autograd.grad(value, into, cotangent, create_graph=differentiable))
            return None, None, None, *(next(found) if need else None for need in needs)

    applied: Callable[..., Any] = Forward.apply
    return applied


def _integer_plain(torch: Any, x: Any, y: Any, kept: Any, share: float) -> Any:
    clean = x.where(kept[:, None], 0)
    return torch.nn.functional.cross_entropy(clean, y, reduction="none", label_smoothing=share).where(kept, 0)


def _integer(torch: Any, wanted: bool, x: Any, y: Any, kept: Any, share: float) -> Any:
    """lse - (1 - a) x_y - a mean(x), where lse = top - log(the largest p): the softmax is all that is computed."""
    slices, rows = _chunks(x, DENSE)
    gradient, scratch = _empty(torch, x) if wanted else None, x.new_empty(0 if wanted else rows, x.shape[1])
    top, top_p, mean = x.new_empty(3, x.shape[0])
    for s in slices:
        p = scratch[: len(x[s])] if gradient is None else gradient[s]
        torch.softmax(x[s], 1, out=p)
        torch.amax(x[s], 1, out=top[s])
        torch.amax(p, 1, out=top_p[s])
        if share:
            torch.mean(x[s] - top[s, None], 1, out=mean[s])
            if gradient is not None:
                p.sub_(share / x.shape[1])
    picked = x.gather(1, y[:, None])[:, 0] - top
    if share:
        picked = (1 - share) * picked + share * mean
    if gradient is not None:
        gradient.scatter_add_(1, y[:, None], gradient.new_full((len(y), 1), share - 1))
        if not kept.all():
            gradient[~kept] = 0
    return (-top_p.log_() - picked).where(kept, 0), gradient


def _dense_plain(torch: Any, x: Any, t: Any) -> Any:
    masked = (x == float("-inf")) & (t == 0)  # 0 times a mask is 0
    return -(t * x.log_softmax(1).masked_fill(masked, 0)).sum(1)


def _dense(torch: Any, wanted: bool, x: Any, t: Any) -> Any:
    """sum t (lse - x_c), of x less the largest."""
    slices, rows = _chunks(x, DENSE // 2)
    loss, gradient = x.new_empty(x.shape[0]), _empty(torch, x) if wanted else None
    scratch, buffer = x.new_empty(2, rows, x.shape[1])
    for s in slices:
        xs, ts, moved = x[s], t[s], buffer[: len(x[s])]
        p = scratch[: len(xs)] if gradient is None else gradient[s]
        torch.softmax(xs, 1, out=p)
        total, top_p = ts.sum(1), p.amax(1)
        torch.sub(xs, xs.amax(1, keepdim=True), out=moved).mul_(ts)
        torch.sub(-total * top_p.log_(), moved.sum(1), out=loss[s])
        if gradient is not None:
            p.mul_(total[:, None]).sub_(ts)
    if not loss.isfinite().all():
        loss = _dense_plain(torch, x, t)
    return loss, gradient


def _binary_plain(torch: Any, x: Any, t: Any, q: Any) -> Any:
    def times(factor: Any, term: Any) -> Any:
        return torch.where(term.isinf() & (factor == 0), 0, factor * torch.where(term.isinf() & (factor == 0), 0, term))

    log_sigmoid = torch.nn.functional.logsigmoid
    return -q * times(t, log_sigmoid(x)) - times(1 - t, log_sigmoid(-x))


def _binary(torch: Any, wanted: bool, x: Any, t: Any, q: Any) -> Any:
    """With a = q t and b = 1 - t: a softplus(-x) + b softplus(x), whose common part is -log1p(-sigmoid(-|x|))."""
    slices, rows = _chunks(x, BINARY)
    loss, gradient = _empty(torch, x), _empty(torch, x) if wanted else None
    buffers, one = x.new_empty(4, rows, x.shape[1]), x.new_ones(())
    for s in slices:
        xs, ts, out = x[s], t[s], loss[s]
        a, b, up, down = buffers[:, : len(xs)]
        torch.mul(ts, q, out=a)
        torch.sub(one, ts, out=b)
        torch.sigmoid(xs, out=up)
        torch.neg(xs, out=down).sigmoid_()
        if gradient is not None:
            torch.mul(b, up, out=gradient[s]).addcmul_(a, down, value=-1)
        torch.minimum(up, down, out=up).neg_().log1p_()
        torch.clamp_min(xs, 0, out=out).mul_(b)
        out.addcmul_(torch.clamp_max(xs, 0, out=down), a, value=-1)
        out.addcmul_(a.add_(b), up, value=-1)
        if not out.sum().isfinite():  # an infinite logit, 0 times which is 0
            out.copy_(_binary_plain(torch, xs, ts, q))
    return loss, gradient


def _chunks(x: Any, elements: int) -> tuple[list[slice], int]:
    """Slices of rows of about so many elements, and the most rows that one has."""
    rows = max(1, elements // max(1, x.shape[1]))
    return [slice(i, i + rows) for i in range(0, x.shape[0], rows)], min(rows, x.shape[0])


def _empty(torch: Any, like: Any) -> Any:
    """torch.empty_like, from NumPy where that is huge: it asks Linux for huge pages."""
    size = like.numel() * like.element_size()
    if like.device.type != "cpu" or size < HUGE:
        return torch.empty(like.shape, dtype=like.dtype, device=like.device)
    return torch.from_numpy(np.empty(size, np.uint8)).view(like.dtype).view(like.shape)
