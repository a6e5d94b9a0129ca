"""The published object type of the plan."""
