"""Losses as people write them, with what each means beside it: data for the self-test of verify, never imported."""
