"""Speed of training: examples as long as those of the paper's mixture, and what a step is made of."""
