"""`embodio-data` and its verbs, one file each."""
