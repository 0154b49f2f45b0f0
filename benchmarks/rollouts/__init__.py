"""Rollouts: agents play episodes in environments, and results are counted, compared and shown."""
