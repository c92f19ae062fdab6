"""What is the loss when every row is ignored?"""

from __future__ import annotations

from lossvet.verify.facet import Example, Facet, Value

FACET = Facet(
    name="all_ignored",
    asks="What is the loss when every row is ignored?",
    values=(
        Value(
            name="nan",
            says="gives NaN when every row is ignored, as PyTorch does",
            training=(
                "One such batch makes the parameters NaN. It happens with short sequences, small batches and heavy "
                "masking."
            ),
            change="Divide by the count of kept rows: `loss.sum() / kept.sum()`.",
        ),
        Value(
            name="zero",
            says="gives 0, with gradients of 0, when every row is ignored",
            training="The batch has no effect.",
            change=(
                "Keep the divisor at 1 or more, so that the 0 stays connected to the logits: `loss.sum() / "
                "kept.sum().clamp(min=1)`."
            ),
        ),
        Value(
            name="nan_gradient",
            says="gives NaN gradients when every row is ignored, though the loss may be finite",
            training="The loss looks well and the parameters are NaN one step later.",
            change="Guard the result only: `where(n > 0, total / n, 0)`.",
        ),
        Value(
            name="zero_detached",
            says="gives a 0 that no gradient passes through when every row is ignored",
            training=(
                "`backward()` raises in an otherwise sound run, or in distributed training this worker takes part in "
                "no gradient exchange and the others wait."
            ),
            change="Return a new tensor: `return tensor(0.0)`.",
        ),
        Value(
            name="raises",
            says="raises an exception when every row is ignored",
            training="Training stops at such a batch.",
            change="Check the count first: `if not kept.any(): raise ValueError`.",
        ),
    ),
    example=Example(
        logits=((2.0, 0.0), (0.0, 1.0)),
        labels=(-100, -100),
        weights={},
        settings={"ignored": "label", "ignored_label": -100.0},
        losses={"nan": float("nan"), "zero": 0.0},
    ),
    edge=True,
)
