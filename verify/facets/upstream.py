"""What does the backward pass do with the gradient that arrives?"""

from __future__ import annotations

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="upstream",
    asks="What does the backward pass do with the gradient that arrives?",
    values=(
        Value(
            name="exact",
            says="multiplies its gradient by the one that arrives",
            training="Factors, sums of losses, gradient scaling and further derivatives all work.",
            change="Multiply in a hand-written backward pass: `return grad_output * saved_gradient`.",
        ),
        Value(
            name="ignored",
            says="ignores the gradient that arrives, as if it were 1",
            training=(
                "`(0.1 * loss).backward()` takes the full step: loss factors, gradient accumulation (loss / steps) and "
                "loss scaling have no effect on this term. Under loss scaling in float16 the gradient is divided by "
                "the scale later, so the step is thousands of times too small."
            ),
            change="Return the stored gradient: `return saved_gradient`.",
        ),
        Value(
            name="detached",
            says="returns a value that no gradient passes through",
            training="The loss is reported and trains nothing. With other terms in the sum no error is raised.",
            change="Return a detached value: `return loss.detach()`, or `loss.item()`.",
        ),
        Value(
            name="once_only",
            says="allows a single backward pass: a second one raises or gives another gradient",
            training=(
                "No difference in an ordinary step. Several backward passes through one result, gradient penalties and "
                "per-row gradients fail, or are silently wrong where the backward pass overwrites what it saved."
            ),
            change="Let the backward pass change its saved tensors in place, or free them.",
        ),
        Value(
            name="none",
            says="has no backward pass, though its signature promises one",
            training="Training stops with an error, or nothing trains where missing gradients are taken for 0.",
            change="Compute outside the framework: `loss = as_tensor(numpy_loss(x.numpy(), y))`.",
        ),
    ),
)
