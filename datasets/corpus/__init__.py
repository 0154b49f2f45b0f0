"""The corpus of `embodio-data corpus`: sources on this machine, written as shards of records."""
