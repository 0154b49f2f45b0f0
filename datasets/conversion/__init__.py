"""Conversion of data sets between formats, and descriptions proposed for data that has none."""
