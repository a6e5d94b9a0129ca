"""Who is asking: organisation by certificate, person by token, resident by pseudonym."""
