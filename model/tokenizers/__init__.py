"""Tokenisers of images and sounds, and the vocoder."""
