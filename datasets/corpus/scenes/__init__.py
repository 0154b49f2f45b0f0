"""Made-up scenes of simple shapes on a table: drawn at random, simulated and rendered by MuJoCo, described in words."""
