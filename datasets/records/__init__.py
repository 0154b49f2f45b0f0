"""Records of a corpus: one schema for text, pictures, sound, video and trajectories, and readers of many formats."""
