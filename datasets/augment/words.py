"""Changes to the instruction: paraphrases, or no instruction at all."""

from __future__ import annotations

import re

import numpy as np

from embodio.datasets.augment.config import AugmentConfig
from embodio.envs.perturbing.wordings import OTHER_WORDS, wordings_of


class WordChange:
    """One draw of how instructions are reworded.

    Args:
        config: how much may change.
        generator: source of the draw.
    """

    def __init__(self, config: AugmentConfig, generator: np.random.Generator) -> None:
        self._dropped = bool(generator.random() < config.instruction_dropout)
        reworded = bool(generator.random() < config.paraphrase)
        self._wording = generator.random() if config.wordings else 1.0
        self._worded = config.wordings
        self._template = "{instruction}"
        self._groups: list[tuple[re.Pattern[str], str]] = []
        if not reworded:
            return
        if config.templates:
            self._template = config.templates[int(generator.integers(len(config.templates)))]
        for group in config.synonyms:
            words = [word.strip() for word in group.split("|")]
            longest_first = sorted(words, key=len, reverse=True)
            pattern = re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, longest_first)) + r")(?!\w)")
            self._groups.append((pattern, words[int(generator.integers(len(words)))]))

    def __call__(self, instruction: str, own: bool = True) -> str:
        """The instruction in the drawn words; empty if it is left out.

        Args:
            instruction: in words.
            own: whether it is what the episode does; anything else is said, and has no listed wordings.
        """
        if self._dropped and own:
            return ""
        if self._wording < self._worded and own:
            known = wordings_of(instruction, OTHER_WORDS)
            instruction = known[int(self._wording / self._worded * len(known))]
        for pattern, word in self._groups:
            instruction = pattern.sub(word.replace("\\", r"\\"), instruction)
        return self._template.replace("{instruction}", instruction)
