"""Inference: token-by-token decoding, with prepared or quantised weights."""
