"""One file for each service of the contract: from message to walk, from outcome to message."""
