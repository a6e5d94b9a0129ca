"""The second party of the identity key: its door, the line to it, and what travels between them."""
