"""Suwinet as the standard says it answers, over real HTTPS on loopback, and as it fails when told to."""
