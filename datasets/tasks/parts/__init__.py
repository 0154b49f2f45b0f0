"""Common parts of robot tasks: numbered records, moments of episodes, inputs, step filters."""
