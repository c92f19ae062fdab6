"""PyTorch code that changes the process as soon as it is imported."""

import os

import numpy as np
import torch
import torch.nn.functional as F

torch.set_num_threads(2)
torch.set_default_dtype(torch.float64)
np.random.seed(0)
os.environ["LOSSES_OF_MINE"] = "1"


def loss(logits, labels):
    return F.cross_entropy(logits, labels)
