"""Words of the catalogue of tasks: kinds of rows, and modalities."""

from __future__ import annotations

MODALITIES = ("text", "image", "audio", "video", "robot")

KINDS = ("prompted", "pretraining", "augmentation", "free_form")
"""Kinds of rows: supervised tasks with prompts, data of pre-training carried on, tasks made of others, free text."""
