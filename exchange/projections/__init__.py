"""Read models: none yet. What will stand here answers screens, never the gate."""
