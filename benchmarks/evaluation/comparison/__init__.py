"""Comparisons of models, paired by the items that both have answered: differences, tests, verdicts."""
