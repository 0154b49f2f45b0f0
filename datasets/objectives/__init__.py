"""Objectives of pre-training: what is hidden of a record, and what is to be written; pure functions of their inputs."""
