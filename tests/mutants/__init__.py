"""Mutants, losses with one planted fault each, which the judge must kill; and controls, sound, which must survive."""
