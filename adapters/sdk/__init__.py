"""The SDK: how a system talks to the exchange, and how it checks what the exchange says."""
