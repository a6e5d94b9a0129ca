"""The gate: who may do what with whose data, what for and on which basis. Source: GDPR 5, 6, 9, 25."""
