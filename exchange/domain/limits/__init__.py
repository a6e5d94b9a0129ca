"""Limits on what may be done with a resident's data: seals, restrictions, objections, determinations.

Promises: a limit has a scope (everything, one purpose, one recipient, or both), a reason that is stored
sealed, and where somebody must look again a review date; none of them is lifted by the person it binds alone.
Source: GDPR 18, 21, 32; Participatiewet 67(3); the gate's design sections 2 and 5.
"""
