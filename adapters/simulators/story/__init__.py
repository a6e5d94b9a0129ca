"""The story of one resident's integral support plan.

Told by the organisations' own systems over real gRPC.
"""
