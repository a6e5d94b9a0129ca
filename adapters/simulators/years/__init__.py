"""A household's story of three years, told in seconds against a service whose clock the story moves."""
