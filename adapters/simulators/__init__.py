"""Counterparties for a laptop: organisations, a resident and a privacy officer that behave as the standards say."""
