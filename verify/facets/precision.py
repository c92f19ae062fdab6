"""In which precision is the loss computed?"""

from __future__ import annotations

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="precision",
    asks="In which precision is the loss computed?",
    values=(
        Value(
            name="follows_input",
            says="computes in the dtype that it is given",
            training="Accuracy is that of the inputs: 7 digits in float32, 3 in float16, 2 to 3 in bfloat16.",
            change="Do not cast, and keep the framework's accumulation in float32: `loss.sum()`.",
        ),
        Value(
            name="float32",
            says="computes in float32, throughout or from the losses of the rows on, whatever it is given",
            training=(
                "More accurate than the input for float16 and bfloat16, and the usual choice there. float64 inputs "
                "lose half their digits: finite-difference tests fail, long sums drift."
            ),
            change=(
                "Cast the logits, `x = x.float()`, or as TF1's `tf.losses` do the losses of the rows, "
                "`loss = loss.float()`."
            ),
        ),
        Value(
            name="float64",
            says="computes in float64 whatever it is given",
            training=(
                "No loss of accuracy; slower (on consumer GPUs by a factor of 32 to 64), and twice the memory of "
                "float32. The result may come back as float64 and promote what it meets."
            ),
            change="Cast first: `x = x.double()`.",
        ),
        Value(
            name="bfloat16",
            says="computes in bfloat16 whatever it is given",
            training=(
                "Two to three significant digits. Sums over many rows or classes stop growing once a term is below "
                "1/256 of the sum, and the gradient 1 - p of a correct row is 0 once p rounds to 1 (above 0.998)."
            ),
            change="Cast first: `x = x.bfloat16()`, or run under autocast where the loss is not excepted.",
        ),
        Value(
            name="float16",
            says="computes in float16 whatever it is given",
            training=(
                "exp overflows above 11 and probabilities below 6e-8 are 0: an unprotected softmax gives infinities or "
                "NaN, an epsilon of 1e-8 is 0, and small gradients vanish without loss scaling."
            ),
            change="Cast first: `x = x.half()`.",
        ),
        Value(
            name="low_precision_accumulation",
            says="keeps its inputs' dtype but sums in low precision",
            training=(
                "Single rows are as accurate as the dtype, means over large batches are not: in bfloat16 a running sum "
                "of equal terms stops growing after 256 of them, so the mean of a large batch comes out too small."
            ),
            change="Add one term after the other in the low precision: `for l in loss: total = total + l`.",
        ),
    ),
)
