"""What the tasks of robots share: numbered records, moments of episodes, inputs, filters of steps."""
