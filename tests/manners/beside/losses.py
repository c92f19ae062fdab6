from neighbour import SCALE


def loss(logits, labels):
    return SCALE * ((logits.sum(1) - labels) ** 2).mean()


class Losses:
    @staticmethod
    def inner(logits, labels):
        return ((logits.sum(1) - labels) ** 2).mean()
