"""What comparisons of agents and of networks share: verdicts in words, a picture of differences, the page."""
