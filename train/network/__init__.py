"""Changes of a network for training: low-rank adapters, and activations that are computed again."""
