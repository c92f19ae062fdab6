"""What parameters of losses are called, and what is expected of one with such a name. Data."""

from __future__ import annotations

import re
from collections.abc import Mapping

LOGITS = (
    "logits", "logit", "y_pred", "pred", "preds", "prediction", "predictions", "predicted", "output", "outputs", "out",
    "scores", "score", "y_hat", "yhat", "input", "inputs", "x", "y_score", "probs", "prob", "probabilities", "p", "z",
    "student",
    "y_prob", "log_probs", "logprobs", "log_prob", "logp", "log_p", "lm_logits", "shift_logits", "estimate", "h", "s",
)  # fmt: skip
LABELS = (
    "labels", "label", "target", "targets", "y_true", "y", "t", "gt", "truth", "ground_truth", "true", "tgt", "onehot",
    "one_hot", "labels_onehot", "onehot_labels", "target_onehot", "yt", "actual", "annotations", "gold", "teacher",
    "shift_labels", "class_ids", "q",
)  # fmt: skip
"""In order of preference: of two parameters with such names the first in this table is it."""

LOGITS_WORDS = {
    "logits", "logit", "pred", "preds", "prediction", "predictions", "predicted", "output", "outputs", "score",
    "scores", "prob", "probs", "probabilities", "logprobs", "logp", "hat",
}  # fmt: skip
LABELS_WORDS = {"label", "labels", "target", "targets", "true", "gt", "truth", "onehot", "tgt"}
"""Words within a longer name ("student_logits", "labels_one_hot") that tell as much."""
DENSE_WORDS = {"onehot", "hot", "soft", "dense", "multilabel", "multihot", "distribution"}
SPARSE_WORDS = {"sparse", "index", "indices", "ids", "idx"}
"""Words in a label's name that say which kind of labels it takes."""

WEIGHT_CHOICES = ("class_weight", "sample_weight", "sample_weight:n1", "binary_weights", "cost_matrix",
                  "pos_weight:scalar", "sample_weight:nc")  # fmt: skip
"""What an argument called weight can be, the likeliest first: a role, and after the colon its layout (`binding`)."""
CHOICES: Mapping[str, tuple[str, ...]] = {
    "weight": WEIGHT_CHOICES,
    "class_weight": ("class_weight", "binary_weights", "cost_matrix", "sample_weight", "pos_weight:scalar"),
    "pos_weight": ("pos_weight", "class_weight", "pos_weight:scalar"),
    "binary_weights": ("binary_weights", "class_weight"),
    "sample_weight": ("sample_weight", "sample_weight:n1", "sample_weight:nc", "class_weight"),
    "cost_matrix": ("cost_matrix", "class_weight", "sample_weight"),
    "mask": ("mask", "mask:n1", "mask:nc"),
    "count": ("count",),
    "unknown": (*WEIGHT_CHOICES, "mask", "count"),
}
"""By what a name suggests, the roles that are tried."""

EXACT: Mapping[str, str] = {
    **dict.fromkeys(("weight", "weights", "w", "wts", "weighting", "loss_weight", "weight_tensor"), "weight"),
    **dict.fromkeys(("alpha", "alphas", "at", "balance", "balance_weights", "rescaling_weight"), "class_weight"),
    **dict.fromkeys(
        ("class_weight", "class_weights", "classweights", "cls_weight", "cls_weights", "weight_per_class", "cw",
         "class_weighting", "per_class_weights", "weights_per_class", "category_weights", "label_weights",
         "samples_per_cls", "samples_per_class", "cls_num_list", "class_counts", "class_count", "class_freq",
         "class_frequencies", "frequencies", "freqs", "priors", "class_priors", "num_per_class", "img_num_per_cls"),
        "class_weight",
    ),
    **dict.fromkeys(("pos_weight", "pos_weights", "positive_weight", "positive_weights", "pw", "w_pos"), "pos_weight"),
    **dict.fromkeys(
        ("sample_weight", "sample_weights", "example_weights", "instance_weights", "sw", "row_weights",
         "per_sample_weights", "weights_per_sample", "example_weight"),
        "sample_weight",
    ),
    **dict.fromkeys(("cost", "costs", "cost_matrix", "cost_mat", "penalty_matrix", "m", "cm", "c_mat"), "cost_matrix"),
    **dict.fromkeys(("mask", "masks", "valid", "valid_mask", "padding_mask", "loss_mask", "attention_mask"), "mask"),
    **dict.fromkeys(
        ("count", "num_items", "num_items_in_batch", "num_tokens", "n_items", "normalizer", "norm", "denominator",
         "total", "avg_factor", "num_valid"),
        "count",
    ),
}  # fmt: skip
"""What a whole name suggests; a key of `CHOICES`."""

FACTORS = ("loss_weight", "loss_scale", "lambda_weight")
"""Numbers that multiply the finished loss, where their default is 1: one term of a sum of losses against the others."""

CONSTANTS: Mapping[str, object] = {
    **dict.fromkeys(("num_classes", "n_classes", "nb_classes", "no_of_classes", "num_class", "n_class", "classes_num",
                     "num_labels", "depth", "vocab_size", "classes", "C"), "classes"),
    **dict.fromkeys(("batch_size", "bs", "global_batch_size", "n"), "batch"),
    **dict.fromkeys(("axis", "dim", "class_axis", "class_dim"), -1),
    **dict.fromkeys(("ignore_index", "ignore_label", "ignore_id"), -100),
    **dict.fromkeys(("pad", "pad_id", "pad_idx", "pad_index", "pad_token_id", "padding_idx"), 0),
    **dict.fromkeys(("temperature", "T", "tau"), 2.0),
    **dict.fromkeys(("epsilon", "eps"), 1e-7),
    **dict.fromkeys(("label_smoothing", "smoothing"), 0.0),
    "gamma": 2.0,
    "beta": 0.999,
    "reduction": "mean",
    "from_logits": True,
    "training": True,
    "device": "cpu",
    "loss_type": "softmax",
}  # fmt: skip
"""What a parameter without a default gets where it is neither of these: "classes" is C, "batch" is N. A name of one
letter stands here as it is, all others in small letters."""


def words(name: str) -> tuple[str, ...]:
    """The words of a name, in small letters: "yTrueOneHot" -> y, true, one, hot."""
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()
    return tuple(word for word in spaced.split("_") if word)


def constant(name: str) -> object:
    """What a parameter of this name gets in every call, if it has to be given; None where nothing is known of it."""
    return CONSTANTS.get(name if len(name) == 1 else name.lower())


def suggests(name: str) -> str:
    """What a parameter of this name is: "logits", "labels", a key of `CHOICES`, or "" where the name says nothing."""
    if name in ("T", "C"):
        return ""
    plain = "_".join(words(name))
    if plain in EXACT:
        return EXACT[plain]
    if plain in LOGITS:
        return "logits"
    if plain in LABELS:
        return "labels"
    found = set(words(name))
    if found & {"weight", "weights", "wt", "wts", "w"}:
        if found & {"pos", "positive"} and not found & {"neg", "negative"}:
            return "pos_weight"
        if found & {"sample", "samples", "example", "instance", "row", "pixel", "token"}:
            return "sample_weight"
        return "class_weight" if found & {"class", "classes", "cls", "category", "label", "labels"} else "weight"
    if found & {"cost", "costs"}:
        return "cost_matrix"
    if "mask" in found:
        return "labels" if found & {"true", "gt"} else "mask"  # a segmentation's true mask is its labels
    if found & {"count", "num", "total"} and found & {"items", "tokens", "samples", "valid", "examples"}:
        return "count"
    if found & LOGITS_WORDS:
        return "logits"
    return "labels" if found & LABELS_WORDS else ""


def rank(name: str, table: tuple[str, ...]) -> int:
    """How far down a table of names this one stands; names with a telling word come after them all."""
    plain = "_".join(words(name))
    return table.index(plain) if plain in table else len(table)
