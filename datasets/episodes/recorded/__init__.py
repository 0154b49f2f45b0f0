"""Recorded instructions: the words, pictures and sounds of an episode's prompt."""
