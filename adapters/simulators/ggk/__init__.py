"""The node between municipalities and providers, simulated: takes envelopes, confirms and passes them on.

With faults on order. It shares no code with the adapter that is tried against it.
"""
