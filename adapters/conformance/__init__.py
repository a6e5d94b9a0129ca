"""`exchange-adapter conformance`: the public suite that an adapter of anybody must pass."""
