"""Composition root: the only floor with a clock, randomness, ids and concrete parts."""
