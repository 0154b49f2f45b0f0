"""Pages that show a data set in a browser."""
