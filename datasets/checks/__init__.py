"""Checks of a data set: `embodio-data verify`."""
