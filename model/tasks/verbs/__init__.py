"""The verbs of `TaskRunner`: each builds annotations of its family, runs it, and returns typed answers."""
