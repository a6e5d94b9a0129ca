"""The door: who is asking, shape of requests, translation, errors. The only floor that knows gRPC."""
