"""The token format of a robot: writes observations, instructions and actions as tokens and reads them; no torch."""
