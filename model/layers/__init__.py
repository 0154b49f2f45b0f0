"""Layers: attention, products, rotary positions, the encoders of images and sounds."""
