"""Imports what is not there."""

import no_such_package_of_losses


def loss(logits, labels):
    return no_such_package_of_losses.loss(logits, labels)
