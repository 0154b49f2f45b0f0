"""Recorded instructions: what was said, shown and heard, as episodes hold it."""
