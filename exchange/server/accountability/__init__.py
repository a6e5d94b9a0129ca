"""Accountability out: every recorded decision in the forms of the Dutch logs of processing."""
