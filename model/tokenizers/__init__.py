"""Tokenisers: VQ models of images and sounds, and the vocoder."""
