"""Training of the part of a network that sees, image tower and encoder, on pictures whose patches have labels."""
