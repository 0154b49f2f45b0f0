"""Descriptions of public data sets, one YAML file each."""
