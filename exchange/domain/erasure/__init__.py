"""Erasure: the decision on the resident's stream, and what recipients are asked because of it.

Promises: see `decision` and `purge`; `words` are the closed lists both are written in.
Source: GDPR 17 and 19; the design of the ledger, section 5.
"""
