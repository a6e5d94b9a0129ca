"""Keys: what seals a resident's data, what destroys it, and who is who without a BSN."""
