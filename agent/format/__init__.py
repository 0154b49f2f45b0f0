"""The format of a robot: how observations, instructions and actions are written as tokens, and read back; no torch."""
