"""Statistics of success rates: intervals, paired tests, verdicts, and how many episodes they need."""
