"""wording: the policy is told the same in other words."""

from __future__ import annotations

from embodio.envs.perturbing.perturbation import Perturbation, PerturbedEpisode
from embodio.envs.perturbing.wordings import OTHER_WORDS, wordings_of


class OtherWords(Perturbation):
    """Written differently; other words; and three levels of held-out words: near, far, and in long sentences."""

    training_levels = OTHER_WORDS

    def __init__(self, episode: PerturbedEpisode) -> None:
        """Draws which of the wordings it is."""
        super().__init__(episode)
        self._drawn = int(episode.random.integers(2**20))

    def instruction(self, text: str) -> str:
        """The instruction in other words, the same throughout an episode."""
        choice = wordings_of(text, self.episode.level, self.episode.env)
        return choice[self._drawn % len(choice)]


PERTURBATION = OtherWords
