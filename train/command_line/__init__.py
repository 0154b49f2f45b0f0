"""The command line: `key=value` arguments over dataclass schemas."""
