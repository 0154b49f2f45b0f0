"""Pauses: every long computation has them, they change nothing, and an error in one ends it."""

from __future__ import annotations

import numpy as np
import pytest

from embodio.model.pauses import pause, pausing
from embodio.model.tasks import TaskRunner
from embodio.model.tokens.vocabulary import Vocabulary
from tests.support.agent.artists import artist


def test_a_drawing_pauses_between_layers_and_tokens_and_stays_the_same() -> None:
    network = artist().model
    runner, picture = TaskRunner(network, Vocabulary.default()), np.full((40, 40, 3), 90, np.uint8)
    plain = runner.edit([picture], ["make it red"], seeds=3)[0].image
    pauses: list[int] = []

    def between() -> None:
        pauses.append(1)
        pause()  # calls nothing in a pause

    with pausing(between):
        paused = runner.edit([picture], ["make it red"], seeds=3)[0].image
    np.testing.assert_array_equal(plain, paused)
    config = network.config
    layers = (
        config.transformer.num_encoder_layers + config.lengths.decoder_image * config.transformer.num_decoder_layers
    )
    assert len(pauses) > layers
    pause()
    assert len(pauses) < 10 * layers


def test_an_error_in_a_pause_ends_it() -> None:
    runner = TaskRunner(artist().model, Vocabulary.default())

    def enough() -> None:
        raise TimeoutError

    with pausing(enough), pytest.raises(TimeoutError):
        runner.caption_images([np.zeros((8, 8, 3), np.uint8)])
    assert runner.caption_images([np.zeros((8, 8, 3), np.uint8)])[0].log_probability < 0
