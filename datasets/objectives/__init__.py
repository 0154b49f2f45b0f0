"""Pre-training objectives: the hidden part of a record and the target to write; pure functions of their inputs."""
