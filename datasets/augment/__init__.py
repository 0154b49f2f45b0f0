"""Augmentation of examples: images, sounds and words, drawn from the example's own generator."""
