"""Inference: decoding token by token, with prepared or quantised weights."""
