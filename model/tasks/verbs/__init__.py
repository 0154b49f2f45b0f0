"""The verbs of `TaskRunner`: each builds the annotations of its family, asks, and gives typed answers."""
