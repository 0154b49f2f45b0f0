"""Weights: files of ours, of the reference and of its JAX original."""
