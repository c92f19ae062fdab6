"""The zoo: losses with one planted fault each, which the judge must convict, and sound ones, which it must not."""
