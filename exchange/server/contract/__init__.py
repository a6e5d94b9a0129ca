"""What the protos say, compiled once: shape rules, privacy labels, names of enums, pages."""
