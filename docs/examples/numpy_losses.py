from pathlib import Path

import numpy as np

from lossvet.testing import assert_conforms, assert_contract

CONTRACT = Path(__file__).with_name("weighted.contract.toml")


def weighted(logits, labels, weight):
    z = logits - logits.max(1, keepdims=True)
    rows = np.log(np.exp(z).sum(1)) - np.take_along_axis(z, labels[:, None], 1)[:, 0]
    return (weight[labels] * rows).sum() / weight[labels].sum()


def test_it_means_what_the_contract_says():
    assert_contract(weighted, CONTRACT)


def test_it_is_the_mean_over_the_weights():
    assert_conforms(weighted, "sparse_class_weight", "weighted_mean")
