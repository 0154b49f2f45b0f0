"""Tokens: the vocabulary and its text pieces."""
