"""Checkpoints: the state of a run, saved, kept and restored."""
