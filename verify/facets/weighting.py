"""Weighting."""

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="weighting",
    asks="weighting?",
    values=(
        Value("none", says="has weighting: none", training="", change=""),
        Value("sample_weight", says="has weighting: sample weight", training="", change=""),
        Value("mask", says="has weighting: mask", training="", change=""),
        Value("pos_weight", says="has weighting: pos weight", training="", change=""),
        Value("neg_weight", says="has weighting: neg weight", training="", change=""),
        Value("both_sides", says="has weighting: both sides", training="", change=""),
        Value("class_weight", says="has weighting: class weight", training="", change=""),
        Value("class_weight_terms", says="has weighting: class weight terms", training="", change=""),
        Value("predicted_weight", says="has weighting: predicted weight", training="", change=""),
        Value("weighted_logits", says="has weighting: weighted logits", training="", change=""),
        Value("cost_realized", says="has weighting: cost realized", training="", change=""),
        Value("cost_expected", says="has weighting: cost expected", training="", change=""),
        Value("cost_complement", says="has weighting: cost complement", training="", change=""),
        Value("weighted_labels", says="has weighting: weighted labels", training="", change=""),
        Value("after_mean", says="has weighting: after mean", training="", change=""),
        Value("pos_weight_on_hard_labels", says="has weighting: pos weight on hard labels", training="", change=""),
    ),
)
