"""What is computed of a loss for a question: its value and derivatives, over the primitives of a framework."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lossvet.adapters.protocol import Primitives
from lossvet.verify.questions import cotangent


def computation(
    p: Primitives, kind: str, leaves: tuple[str, ...]
) -> Callable[[Any, Mapping[str, Any]], Mapping[str, Any]]:
    """What `adapters.protocol.built` runs: from a loss and tensors by role to "value" and "gradient ROLE".

    `kind` as in `Question.derivative`; "forward" gives "forward", the derivative along tensors["direction"], and
    "twice" gives "first ROLE" too, the gradients of the first of two passes.
    """

    def along(value: Any) -> Any:
        tensor = p.put(cotangent(tuple(int(n) for n in value.shape)), p.dtype(value))
        return getattr(tensor, "array", tensor)  # within a session's graph an array is meant, not one to be fed

    def compute(loss: Any, tensors: Mapping[str, Any]) -> Mapping[str, Any]:
        inputs = {role: tensor for role, tensor in tensors.items() if role != "direction"}
        match kind:
            case "value":
                return {"value": loss(inputs)}
            case "hessian":
                product = p.hvp(loss, inputs, "logits", along, tensors["direction"])
                return {"value": loss(inputs), "gradient logits": product}
            case "forward":
                value, tangent = p.jvp(loss, inputs, {"logits": tensors["direction"]})
                return {"value": value, "forward": tangent}
            case "twice":
                value, first, second = p.twice(loss, inputs, leaves, along)
                passes = {f"first {leaf}": first.get(leaf) for leaf in leaves}
                return {"value": value, **passes, **{f"gradient {leaf}": second.get(leaf) for leaf in leaves}}
        value, gradients = p.vjp(loss, inputs, leaves, along)
        return {"value": value, **{f"gradient {leaf}": gradients.get(leaf) for leaf in leaves}}

    return compute
