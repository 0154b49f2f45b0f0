"""Readers of corpora, found by listing this folder: a module that holds a `READER` adds a format."""
