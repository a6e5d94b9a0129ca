"""The exchange: integral support plans, kept as events, shared field by field, provable afterwards."""
