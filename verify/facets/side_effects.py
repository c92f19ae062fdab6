"""Does calling the loss change anything besides its result?"""

from __future__ import annotations

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="side_effects",
    asks="Does calling the loss change anything besides its result?",
    values=(
        Value(
            name="none",
            says="changes nothing but its result",
            training="Calls can be repeated, reordered and compiled.",
            change=(
                "Work on copies, take a generator or a key as an argument, and return new state instead of keeping it."
            ),
        ),
        Value(
            name="changes_arguments",
            says="changes its arguments in place",
            training=(
                "What is computed from logits or labels after the loss (metrics, other losses, the next epoch on "
                "cached labels) sees changed numbers, and a second call gives another result. Gradients may fail with "
                "a version error, or be wrong."
            ),
            change="Use an in-place operation on an argument: `labels[labels == 255] = -100`.",
        ),
        Value(
            name="global_randomness",
            says="draws from the global random state",
            training=(
                "Two calls on one batch differ, and every call shifts the random numbers of dropout and shuffling that "
                "follow: runs with and without this loss do not see the same data order."
            ),
            change="Draw without a generator: `torch.rand_like(x)`.",
        ),
        Value(
            name="global_state",
            says="changes state outside itself: running averages, counters, default dtype, flags",
            training=(
                "The loss of a batch depends on what was called before, evaluation included. Resumed runs differ "
                "unless that state is saved."
            ),
            change="Keep state between calls: `self.counts += bincount(y, minlength=C)`.",
        ),
        Value(
            name="prints",
            says="prints when it is called",
            training=(
                "No effect on the numbers. It fills logs, and forces a synchronisation with the device at every step "
                "where tensors are printed."
            ),
            change="Print inside the loss: `print(loss.mean())`.",
        ),
    ),
)
