"""The stages of a loss, in their order; every value of a facet is a choice in one of them."""
