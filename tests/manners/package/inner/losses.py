from ..scale import SCALE  # noqa: TID252 - loading such a file is what is tested


def loss(logits, labels):
    return SCALE * ((logits.sum(1) - labels) ** 2).mean()
