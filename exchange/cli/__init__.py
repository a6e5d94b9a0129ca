"""The command line: one file per noun, no logic; the nouns are mounted in `exchange/cli/__main__.py`."""
