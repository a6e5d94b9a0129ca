"""The ledger floor: one append-only Merkle log whose history a stranger can check."""
