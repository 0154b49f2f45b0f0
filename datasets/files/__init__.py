"""Files: reading from folders, archives and URLs, and writing that is whole or absent."""
