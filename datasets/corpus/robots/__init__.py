"""Robots in simulators of others, set to states and photographed."""
