"""Suwinet on one side, `exchange.v1` on the other: what work and income know already, asked on a basis."""
