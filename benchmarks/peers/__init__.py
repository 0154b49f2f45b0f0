"""Policies of other libraries, trained on our demonstrations in a Python of their own and played by our rollouts."""
