"""Preprocessing: reads images, sound and video, and converts them to the arrays of a batch."""
