"""Files: reading from folders, archives and URLs, and atomic writing."""
