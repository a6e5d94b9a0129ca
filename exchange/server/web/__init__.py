"""Web: doors over HTTP, and what is served there without a person: tiles of the log, the witness protocol."""
