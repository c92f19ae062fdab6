"""Losses as TensorFlow users write them, in addition to those of tf.nn: `common`, as usually written, and `fast`.

`fast` is a function that XLA compiles, wherever it is called from: eager code and plain graphs pass over memory once
for every operation, XLA once for every reduction. The backward pass of such a function computes the gradients in all of
its inputs, needed or not, so the gradient in the labels is stopped where it would cost as much as the loss.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from lossvet.adapters.types import Native


def recipes(tf: Any) -> Mapping[str, Mapping[str, Native]]:
    """Variant -> recipe -> the loss, unreduced."""
    fast = {name: replace(native, compiles=True) for name, native in _fast(tf).items()}
    common = _common(tf)
    return {name: {**({"common": common[name]} if name in common else {}), "fast": fast[name]} for name in fast}


def _common(tf: Any) -> dict[str, Native]:
    def class_weight(x: Any, t: Any, w: Any) -> Any:
        return tf.reduce_sum(w * t, 1) * tf.nn.softmax_cross_entropy_with_logits(labels=t, logits=x)

    def one_hot(x: Any, y: Any) -> Any:
        return tf.one_hot(y, tf.shape(x)[1], dtype=x.dtype)

    def dynamic(x: Any, t: Any) -> Any:
        t = tf.stop_gradient(t)
        q = tf.cast(tf.shape(t)[0], t.dtype) / (tf.reduce_sum(t, 0) + 1e-6)
        return tf.nn.weighted_cross_entropy_with_logits(labels=t, logits=x, pos_weight=q)

    loss = "tf.reduce_sum(w * t, 1) * tf.nn.softmax_cross_entropy_with_logits(labels=t, logits=x)"
    return {
        "class_weight": Native(lambda x, t, p, reduction: class_weight(x, t, p.class_weight), loss),
        "sparse_class_weight": Native(
            lambda x, y, p, reduction: class_weight(x, one_hot(x, y), tf.stop_gradient(p.class_weight)),
            f"t = tf.one_hot(y, C); {loss}, w stopped",
            no_gradient=("class_weight",),
        ),
        "dynamic_pos_weight": Native(
            lambda x, t, p, reduction: dynamic(x, t),
            "q = N / (tf.reduce_sum(t, 0) + 1e-6); "
            "tf.nn.weighted_cross_entropy_with_logits(labels=t, logits=x, pos_weight=q), t = tf.stop_gradient(labels)",
            no_gradient=("labels",),
        ),
    }


def _fast(tf: Any) -> dict[str, Native]:
    stop, xla = tf.stop_gradient, partial(tf.function, jit_compile=True, autograph=False, reduce_retracing=True)

    @xla
    def dense(x: Any, t: Any, w: Any) -> Any:
        """w . t (log-sum-exp times sum t - t . x), all of x less the largest: 0 times a mask of -inf is 0."""
        both = tf.linalg.matmul(t, tf.stack([w, tf.ones_like(w)], 1))  # w . t and sum t in one pass
        used = (t != 0) | (x != float("-inf"))

        @tf.custom_gradient  # type: ignore[untyped-decorator]  # a framework is Any
        def loss(x: Any) -> Any:
            moved, _, total = shifted(x)
            picked = tf.reduce_sum(t * tf.where(used, moved, tf.zeros_like(x)), 1)

            def gradient(cotangent: Any) -> Any:
                _, powers, total = shifted(x)
                scale = cotangent * both[:, 0]
                return (scale * both[:, 1] / total)[:, None] * powers - scale[:, None] * t

            return both[:, 0] * (both[:, 1] * tf.math.log(total) - picked), gradient

        return loss(x)

    @xla
    def sparse(x: Any, y: Any, ignore_index: Any, smoothing: float) -> Any:
        """log-sum-exp - (1 - a) x_y - a mean(x), all of x less the largest: what one-hot labels, smoothed, give."""
        kept = tf.not_equal(y, ignore_index)
        y = tf.where(kept, y, 0)

        def clean(x: Any) -> Any:
            return tf.where(kept[:, None], x, tf.zeros_like(x))

        @tf.custom_gradient  # type: ignore[untyped-decorator]  # a framework is Any
        def loss(own: Any) -> Any:  # what the gradient has from here is kept in memory: it cleans again
            own = clean(own)
            moved, _, total = shifted(own)
            rows = tf.range(tf.shape(y, out_type=y.dtype)[0])
            picked = tf.gather_nd(own, tf.stack([rows, y], 1)) - tf.reduce_max(own, 1)
            if smoothing:
                picked = (1 - smoothing) * picked + smoothing * tf.reduce_mean(moved, 1)

            def gradient(cotangent: Any) -> Any:
                _, powers, total = shifted(clean(x))
                scale = tf.where(kept, cotangent, tf.zeros_like(cotangent))[:, None]
                true = tf.range(tf.shape(x, out_type=y.dtype)[1]) == y[:, None]
                label = tf.where(true, tf.constant(1 - smoothing, x.dtype), tf.zeros([], x.dtype))
                even = smoothing / tf.cast(tf.shape(x)[1], x.dtype) if smoothing else 0.0
                return scale / total[:, None] * powers - scale * (label + even)

            return tf.where(kept, tf.math.log(total) - picked, tf.zeros_like(total)), gradient

        return loss(x)

    def shifted(x: Any) -> Any:
        """x less its largest by row, the exponentials of that, and their sum: in a derivative, made again."""
        moved = x - stop(tf.reduce_max(x, 1, keepdims=True))
        powers = tf.exp(moved)
        return moved, powers, tf.reduce_sum(powers, 1)

    def integer(words: str, weight: Callable[..., Any], smoothing: bool = False) -> Native:
        def call(x: Any, y: Any, params: Any, reduction: Any) -> Any:
            own = weight(params, x, tf.where(tf.equal(y, params.ignore_index), tf.zeros_like(y), y))
            share = params.label_smoothing if smoothing else 0.0
            return own * sparse(x, y, params.ignore_index, share) * params.sample_weight

        return Native(call, f"{words}, compiled by XLA", sample_weight=True, ignore_index=True)

    binary = xla(partial(_binary, tf))

    def dynamic(x: Any, t: Any) -> Any:
        n = tf.cast(tf.shape(x)[0], x.dtype)
        return binary(x, stop(t), n / (tf.linalg.matmul(tf.ones_like(t[:, :1]), stop(t), transpose_a=True)[0] + 1e-6))

    nll = "(tf.reduce_logsumexp(x, 1) - tf.gather(x, y, batch_dims=1))"
    return {
        "class_weight": Native(
            lambda x, t, p, reduction: dense(x, stop(t), stop(p.class_weight)) * p.sample_weight,
            "t @ w * (t @ ones(C) * tf.reduce_logsumexp(x, 1) - tf.reduce_sum(t * x, 1)), compiled by XLA, "
            "labels and weights stopped",
            sample_weight=True,
            no_gradient=("labels", "class_weight"),
        ),
        "sparse_class_weight": integer(f"tf.gather(w, y) * {nll}", lambda p, x, y: tf.gather(p.class_weight, y)),
        "predicted_weight": integer(
            f"tf.gather(w, tf.argmax(x, 1)) * {nll}", lambda p, x, y: tf.gather(p.class_weight, tf.argmax(x, 1))
        ),
        "cost_realized": integer(
            f"tf.gather_nd(M, tf.stack([y, tf.argmax(x, 1)], 1)) * {nll}",
            lambda p, x, y: tf.gather_nd(p.cost_matrix, tf.stack([y, tf.argmax(x, 1, output_type=y.dtype)], 1)),
        ),
        "smooth_after": integer(
            "tf.gather(w, y) * (lse - (1 - a) * x_y - a * tf.reduce_mean(x, 1))",
            lambda p, x, y: tf.gather(p.class_weight, y),
            smoothing=True,
        ),
        "smooth_sample": integer(
            "((1 - a) * tf.gather(w, y) + a * tf.reduce_mean(w)) * (lse - (1 - a) * x_y - a * tf.reduce_mean(x, 1))",
            lambda p, x, y: (
                (1 - p.label_smoothing) * tf.gather(p.class_weight, y)
                + p.label_smoothing * tf.reduce_mean(p.class_weight)
            ),
            smoothing=True,
        ),
        "pos_weight": Native(
            lambda x, t, p, reduction: binary(x, stop(t), stop(p.pos_weight)),
            "q t softplus(-x) + (1 - t) softplus(x), compiled by XLA, labels and weights stopped",
            no_gradient=("labels", "pos_weight"),
        ),
        "dynamic_pos_weight": Native(
            lambda x, t, p, reduction: dynamic(x, t),
            "pos_weight with q = N / (sum of t + 1e-6), labels stopped",
            no_gradient=("labels",),
        ),
    }


def _binary(tf: Any, x: Any, t: Any, q: Any) -> Any:
    """a softplus(-x) + b softplus(x), a = q t, b = 1 - t, whose common part is log1p(exp(-|x|)); gradient in x alone.

    |x| has a kink at 0 that cancels in the value alone, hence a derivative of its own.
    """

    def log1p(e: Any) -> Any:
        """log(1 + e) for 0 <= e <= 1, as the series of 2 atanh(e / (2 + e)), for XLA faster than its log1p."""
        z, series = e / (2 + e), tf.zeros_like(e)
        for k in reversed(range(8 if e.dtype == tf.float32 else 17)):
            series = series * (z * z) + 2 / (2 * k + 1)
        return z * series

    def used(factor: Any, x: Any) -> Any:
        return tf.where(factor == 0, tf.zeros_like(x), factor * x)

    @tf.custom_gradient  # type: ignore[untyped-decorator]  # a framework is Any
    def loss(own: Any) -> Any:  # what the gradient has from here is kept in memory: it makes a and b again
        a, b = q * t, 1 - t
        common = (a + b) * log1p(tf.exp(-tf.abs(own)))
        value = tf.where(own < 0, common - used(a, own), common + used(b, own))
        return value, lambda cotangent: cotangent * ((1 - t) * tf.sigmoid(x) - q * t * tf.sigmoid(-x))

    return loss(x)
