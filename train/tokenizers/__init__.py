"""Training of tokenisers."""
