"""Comparisons of agents, paired by the seeds of their episodes: tables, verdicts, robustness to perturbations."""
