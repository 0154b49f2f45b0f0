"""Pieces of RLDS records: single steps read without reading their whole episode."""
