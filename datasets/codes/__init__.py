"""Codes computed ahead: what the frozen tokenisers make of the images and sounds of a corpus, kept with it."""
