"""Perturbed environments: other light, other words, other noise, from the seed of the episode."""
