"""Review of lookups: what explains an access, which indicators it meets, and what is told without names.

Promises: this room only gathers; rules, judging, counting, drawing and the read model each have their own.
Source: Fabbri and LeFevre, Explanation-Based Auditing, PVLDB 5(1), 2011;
exchange/decisions/0133-what-explains-a-lookup.md.
"""
