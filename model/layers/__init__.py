"""Layers: attention, linear maps, rotary positions, and the towers that encode images and sounds."""
