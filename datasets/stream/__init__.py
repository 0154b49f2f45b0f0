"""The stream of examples: order, mixture, batches and workers, a pure function of (seed, step)."""
