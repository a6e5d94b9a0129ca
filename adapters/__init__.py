"""Adapters: what stands between the exchange and the systems of municipalities, providers and others."""
