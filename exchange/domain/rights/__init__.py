"""What a resident asks by right: received, extended, decided, executed, within the terms the law sets.

Promises: see `request`; `terms` holds the deadlines as data and counts them, `words` the closed lists.
Source: GDPR 12, 15-18, 20, 21; Wmo 2015 5.3.5; Jeugdwet 7.3.9.
"""
