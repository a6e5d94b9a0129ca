"""Generated from `protos/exchange/v1`: run `make generate`, never edit."""
