"""Files of a corpus: which ones a path, pattern or URL names, tables of what is where in them, unpacked copies."""
