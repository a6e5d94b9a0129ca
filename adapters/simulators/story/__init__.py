"""The story of one resident's integral support plan, told by the organisations' own systems over real gRPC."""
