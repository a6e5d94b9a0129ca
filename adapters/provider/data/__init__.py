"""Tables of the standard in our own words: types, classes, messages, rules, and what would be shared."""
