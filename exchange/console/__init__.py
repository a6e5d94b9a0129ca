"""The console: pages for people, and a client of the exchange like any other system."""
