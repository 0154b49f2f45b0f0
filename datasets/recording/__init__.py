"""Recording of episodes, from experts and from rollouts."""
