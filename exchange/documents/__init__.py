"""Documents: what was answered, as tagged PDF/UA, CSV, JSON and JSON-LD; from plain values only."""
