"""Adapter of a provider of support: iWmo 3.2 and iJw 3.2 messages on one side, `exchange.v1` on the other."""
