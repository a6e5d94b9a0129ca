"""A small OpenID provider for the demo and for tests: who comes picks a person, and no secret is asked."""
