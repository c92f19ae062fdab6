"""Does every argument do what its name says?"""

from __future__ import annotations

from lossvet.verify.facet import Example, Facet, Value

FACET = Facet(
    name="arguments",
    asks="Does every argument do what its name says?",
    values=(
        Value(
            name="as_named",
            says="uses each argument for what its name says",
            training="What is passed takes effect.",
            change=(
                "Use every parameter, accept no `**kwargs`, and pass arguments by keyword: `loss(logits=x, labels=t)`."
            ),
        ),
        Value(
            name="swapped",
            says="takes predictions for labels and labels for predictions",
            training=(
                "With one-hot labels the logarithm of 0 is taken: the loss is infinite or, clipped, huge and almost "
                "linear in the prediction. It comes from moving between frameworks that order them differently: Keras "
                "has (y_true, y_pred), PyTorch (input, target)."
            ),
            change="Exchange the two: `loss(y_true, y_pred)` where (input, target) is expected.",
        ),
        Value(
            name="swallowed",
            says="accepts an argument and does not use it, such as `weight` among `**kwargs`",
            training=(
                "As if the argument had not been passed: class weights, masks or smoothing are silently absent, and "
                "rare classes are not balanced at all."
            ),
            change="Accept `**kwargs` and ignore them: `def loss(x, y, **kwargs)`.",
        ),
    ),
    example=Example(
        logits=((0.7, 0.3), (0.4, 0.6)),
        labels=((0.9, 0.1), (0.2, 0.8)),
        weights={},
        settings={"input": "probabilities"},
        losses={"as_named": 0.51666169, "swapped": 0.77109459},
    ),
)
