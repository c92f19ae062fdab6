"""How weights follow from the counts of classes, or which constants the code holds."""

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="weights_formula",
    asks="How do the weights follow from the counts n_c of the classes?",
    values=(
        Value(
            "given",
            says="takes its weights as they are",
            training="Weights stay what they are from batch to batch.",
            change="Compute the weights once, from the whole training set, and pass them in.",
        ),
        Value(
            "inverse",
            says="weights class c by 1 / n_c, from the counts of the batch",
            training="A class has the same total weight in every batch, and the loss shrinks as the batch grows.",
            change="w = 1 / torch.bincount(y, minlength=C)",
        ),
        Value(
            "total",
            says="weights class c by N / n_c, from the counts of the batch",
            training="A rare class dominates the batches in which it occurs, and its weight changes from batch to batch.",
            change="w = len(y) / torch.bincount(y, minlength=C)",
        ),
        Value(
            "balanced",
            says="weights class c by N / (C n_c), from the counts of the batch",
            training="The weights of a batch average 1, and change from batch to batch.",
            change="w = len(y) / (C * torch.bincount(y, minlength=C))",
        ),
        Value(
            "others_share",
            says="weights class c by 1 - n_c / N, the share of the other classes in the batch",
            training="Weights lie between 0 and 1; a batch with a single class has a loss of 0.",
            change="w = 1 - torch.bincount(y, minlength=C) / len(y)",
        ),
        Value(
            "effective_number",
            says="weights class c by the effective number of its examples in the batch, (1 - b) / (1 - b^n_c)",
            training="Between equal weights (b = 0) and inverse counts (b = 1); the weights change from batch to batch.",
            change="w = (1 - b) / (1 - b ** torch.bincount(y, minlength=C))",
        ),
        Value(
            "positive_share",
            says="weights the positives of class c by N / (n_c + 1e-6), n_c the sum of its labels in the batch",
            training="A class that is rare in a batch gets a large weight there; one without positives 1e6 N, which is "
            "infinite in float16.",
            change="pos_weight = len(t) / (t.sum(0) + 1e-6)",
        ),
    ),
    numbers=("beta", "constants"),
)
