"""Who is asking: organisation by certificate, person by signed token, resident by the organisation's pseudonym."""
