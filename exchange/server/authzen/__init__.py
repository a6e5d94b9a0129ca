"""The administration door: AuthZEN questions and the decision log, over HTTPS with mutual TLS."""
