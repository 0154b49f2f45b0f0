"""Training on many devices: processes, shards of the network, distributed checkpoints, and plans of their cost."""
