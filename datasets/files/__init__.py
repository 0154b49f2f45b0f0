"""Files of any kind: named, read, fetched and written safely."""
