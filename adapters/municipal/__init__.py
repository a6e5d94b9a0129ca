"""Adapter of a municipality: case system (ZGW) and BRP on one side, `exchange.v1` on the other."""
