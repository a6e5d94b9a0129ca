"""Counterparties for a laptop.

Organisations, a resident and a privacy officer that behave as the standards say.
"""
