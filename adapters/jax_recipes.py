"""Losses as JAX users write them, in addition to those of optax: `common`, as usually written, and `fast`, for jax.jit.

XLA fuses a formula into one pass over memory for each reduction, so `fast` uses plain formulas with few reductions:
only the log-sum-exp of the logits and the entries picked from them. The binary losses have hand-written derivatives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lossvet.adapters.types import Native


def recipes(jax: Any, optax: Any) -> Mapping[str, Mapping[str, Native]]:
    """Variant -> recipe -> the loss, unreduced."""
    fast, common = _fast(jax), _common(jax, optax)
    return {name: {**({"common": common[name]} if name in common else {}), "fast": fast[name]} for name in fast}


def _common(jax: Any, optax: Any) -> dict[str, Native]:
    jnp = jax.numpy

    def class_weight(x: Any, t: Any, w: Any) -> Any:
        return (w * t).sum(1) * optax.softmax_cross_entropy(x, t)

    def one_hot(x: Any, y: Any) -> Any:
        return jax.nn.one_hot(y, x.shape[1], dtype=x.dtype)

    def pos_weight(x: Any, t: Any, q: Any) -> Any:
        return (1 - t) * x + (1 + (q - 1) * t) * (jnp.log1p(jnp.exp(-jnp.abs(x))) + jnp.maximum(-x, 0))

    stable = "(1 - t) * x + (1 + (q - 1) * t) * (log1p(exp(-abs(x))) + maximum(-x, 0))"
    return {
        "class_weight": Native(
            lambda x, t, p, reduction: class_weight(x, t, p.class_weight),
            "(w * t).sum(1) * optax.softmax_cross_entropy(x, t)",
        ),
        "sparse_class_weight": Native(
            lambda x, y, p, reduction: class_weight(x, one_hot(x, y), p.class_weight),
            "t = one_hot(y, C); (w * t).sum(1) * optax.softmax_cross_entropy(x, t)",
        ),
        "pos_weight": Native(lambda x, t, p, reduction: pos_weight(x, t, p.pos_weight), stable),
        "dynamic_pos_weight": Native(
            lambda x, t, p, reduction: pos_weight(x, t, len(t) / (t.sum(0) + 1e-6)),
            f"q = len(t) / (t.sum(0) + 1e-6); {stable}",
            no_gradient=("labels",),
        ),
    }


def _fast(jax: Any) -> dict[str, Native]:
    jnp, stop = jax.numpy, jax.lax.stop_gradient

    def class_weight(x: Any, t: Any, w: Any) -> Any:
        """w . t (log-sum-exp times sum t - t . x), all of x less the largest: 0 times a mask of -inf is 0."""
        both = t @ jnp.stack([w, jnp.ones_like(w)], 1)  # w . t and sum t in one pass
        moved = x - stop(x.max(1, keepdims=True))
        used = jnp.where((x == -jnp.inf) & (t == 0), 0, moved)
        return both[:, 0] * (both[:, 1] * jnp.log(jnp.exp(moved).sum(1)) - (t * used).sum(1))

    def sparse(x: Any, y: Any, smoothing: float = 0.0) -> Any:
        """log-sum-exp - (1 - a) x_y - a mean(x), all of x less the largest: what one-hot labels, smoothed, give."""
        top = stop(x.max(1))
        picked, total = x[jnp.arange(len(y)), y] - top, jnp.exp(x - top[:, None]).sum(1)
        if smoothing:
            picked = (1 - smoothing) * picked + smoothing * (x - top[:, None]).mean(1)
        return jnp.log(total) - picked

    def predicted(x: Any) -> Any:
        """jnp.argmax(x, 1), which XLA does not vectorise on a CPU."""
        x, column = stop(x), jnp.arange(x.shape[1])
        return jnp.where(x == x.max(1, keepdims=True), column, x.shape[1]).min(1)

    def integer(words: str, weight: Callable[..., Any], smoothing: bool = False) -> Native:
        def call(x: Any, y: Any, params: Any, reduction: Any) -> Any:
            kept = y != params.ignore_index
            x, y = jnp.where(kept[:, None], x, 0), jnp.where(kept, y, 0)
            loss = sparse(x, y, params.label_smoothing if smoothing else 0.0)
            # Indexing takes the nearest class for one that there is not, and -1 for the last.
            loss = jnp.where((y >= 0) & (y < x.shape[1]), loss, jnp.nan)
            return jnp.where(kept, weight(params, x, y) * loss, 0) * params.sample_weight

        return Native(call, words, sample_weight=True, ignore_index=True)

    binary = _binary(jax)
    return {
        "class_weight": Native(
            lambda x, t, p, reduction: class_weight(x, t, p.class_weight) * p.sample_weight,
            "t @ w * (t.sum(1) * logsumexp(x, 1) - (t * x).sum(1)), of x - x.max(1)",
            sample_weight=True,
        ),
        "sparse": integer("logsumexp(x, 1) - x[arange(N), y], of x - x.max(1)", lambda p, x, y: 1),
        "sparse_class_weight": integer(
            "w[y] * (logsumexp(x, 1) - x[arange(N), y]), of x - x.max(1)", lambda p, x, y: p.class_weight[y]
        ),
        "predicted_weight": integer(
            "w[argmax] * (logsumexp(x, 1) - x[arange(N), y]), argmax = where(x == x.max(1), arange(C), C).min(1)",
            lambda p, x, y: p.class_weight[predicted(x)],
        ),
        "cost_realized": integer(
            "M[y, argmax] * (logsumexp(x, 1) - x[arange(N), y]), argmax = where(x == x.max(1), arange(C), C).min(1)",
            lambda p, x, y: p.cost_matrix[y, predicted(x)],
        ),
        "smooth_after": integer(
            "w[y] * (logsumexp(x, 1) - (1 - a) * x[arange(N), y] - a * x.mean(1)), of x - x.max(1)",
            lambda p, x, y: p.class_weight[y],
            smoothing=True,
        ),
        "smooth_sample": integer(
            "((1 - a) * w[y] + a * w.mean()) * (logsumexp(x, 1) - (1 - a) * x[arange(N), y] - a * x.mean(1))",
            lambda p, x, y: (1 - p.label_smoothing) * p.class_weight[y] + p.label_smoothing * p.class_weight.mean(),
            smoothing=True,
        ),
        "pos_weight": Native(
            lambda x, t, p, reduction: binary(x, t, p.pos_weight),
            "q t softplus(-x) + (1 - t) softplus(x) as jax.custom_vjp, from exp(-abs(x)) both ways",
            no_gradient=("labels", "pos_weight"),
        ),
        "dynamic_pos_weight": Native(
            lambda x, t, p, reduction: binary(x, t, x.shape[0] / (jnp.ones(x.shape[0], x.dtype) @ t + 1e-6)),
            "pos_weight with q = N / (ones(N) @ t + 1e-6)",
            no_gradient=("labels",),
        ),
    }


def _binary(jax: Any) -> Callable[..., Any]:
    """a softplus(-x) + b softplus(x), a = q t, b = 1 - t, whose common part is log1p(exp(-|x|)); gradient in x alone.

    The loss ends in a select: XLA's YNNPACK would take any other operation into the reduction that follows, and put
    each input of that into memory.
    """
    jnp = jax.numpy

    def log1p(e: Any) -> Any:
        """log(1 + e) for 0 <= e <= 1, as the series of 2 atanh(e / (2 + e)): a quarter of the time of jnp.log1p."""
        z, series = e / (2 + e), 0.0
        for k in reversed(range(8 if e.dtype == jnp.float32 else 17)):
            series = series * (z * z) + 2 / (2 * k + 1)
        return z * series

    def used(factor: Any, x: Any) -> Any:
        return jnp.where(factor == 0, 0, factor * x)

    def value(x: Any, t: Any, q: Any) -> Any:
        a, b = q * t, 1 - t
        common = (a + b) * log1p(jnp.exp(-jnp.abs(x)))
        return jnp.where(x < 0, common - used(a, x), common + used(b, x))

    def backward(saved: Any, cotangent: Any) -> Any:
        x, t, q = saved
        e, a, b = jnp.exp(-jnp.abs(x)), q * t, 1 - t
        return cotangent * jnp.where(x < 0, b * e - a, b - a * e) / (1 + e), None, None

    loss: Callable[..., Any] = jax.custom_vjp(value)
    loss.defvjp(lambda x, t, q: (value(x, t, q), (x, t, q)), backward)  # type: ignore[attr-defined]  # of jax.custom_vjp
    return loss
