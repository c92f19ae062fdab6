"""The stages that a loss passes through, in the order in which it does; every value of a facet is a choice of one."""
