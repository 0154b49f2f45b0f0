"""Point navigation in the maps of MiniGrid: walk to given coordinates in words, and stop there."""
