"""Weights: files of this package, of the reference and of its JAX original."""
