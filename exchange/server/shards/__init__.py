"""Many shards behind one address: which one stands where, and connections passed on to it unopened."""
