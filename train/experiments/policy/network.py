"""The network of a run at step 0: a named size, fitted to the robots, with an image tokeniser if tasks draw."""

from __future__ import annotations

import dataclasses

import numpy as np

from embodio.agent.format.robot_formats import RobotFormats
from embodio.agent.policy_network import policy_network_config
from embodio.model.config.model import ModelConfig
from embodio.model.network.network import UnifiedIO2
from embodio.model.network.targets import code_rows
from embodio.model.tokenizers.image_tokenizer import ImageTokenizer
from embodio.model.tokens.vocabulary import HISTORY_SLOTS
from embodio.model.weights.pretrained import load
from embodio.train.config import TrainConfig
from embodio.train.errors import TrainError
from embodio.train.network.value_embeddings import draw_value_embeddings


def make_network(config: TrainConfig, robots: RobotFormats, like: ModelConfig | None = None) -> UnifiedIO2:
    """Builds the network with its first weights.

    Args:
        config: settings of the run.
        robots: the robots that the network learns to act for.
        like: config of the network whose shape it takes; None takes the named size.

    Raises:
        TrainError: `image_tokenizer` names a network that has none.
        ModelError: there is no such size, or the tokeniser cannot be read.
    """
    fitted = policy_network_config(like or config.size, *robots.values())
    lengths = dataclasses.replace(
        fitted.lengths,
        encoder_text=config.prompt_tokens or fitted.lengths.encoder_text,
        decoder_text=config.answer_tokens or fitted.lengths.decoder_text,
    )
    fitted = fitted.replace(lengths=lengths)
    shown = max([config.task.inputs.history_frames, *(task.earlier_frames for task in config.tasks.values())])
    if shown:
        fitted = _with_history(fitted, shown)
    if not config.image_tokenizer:
        model = UnifiedIO2(fitted)
    else:
        tokenizer = _image_tokenizer(config.image_tokenizer)
        model = UnifiedIO2(_with_drawing(fitted, tokenizer), tokenizers=True)
        model.tokenizers["image"].load_state_dict(tokenizer.state_dict())
    draw_value_embeddings(model, robots.vocabulary, config.value_smoothness, config.value_wavelength, config.seed)
    return model


def _with_history(config: ModelConfig, frames: int) -> ModelConfig:
    """The config with capacity for frames of the image history."""
    if config.image_history is None:
        raise TrainError("size: this network has no image history; choose another, or tasks without earlier frames")
    inputs = config.input_modalities
    if "image_history" not in inputs:
        place = inputs.index("image") + 1
        inputs = (*inputs[:place], "image_history", *inputs[place:])
    slots = min(HISTORY_SLOTS, max(config.sampling.num_frames, frames))
    return config.replace(input_modalities=inputs, sampling=dataclasses.replace(config.sampling, num_frames=slots))


def _with_drawing(config: ModelConfig, tokenizer: ImageTokenizer) -> ModelConfig:
    """The config with images as targets."""
    codes = tokenizer.config
    return config.replace(
        target_modalities=("text", "image"),
        image_tokenizer=codes,
        image_vocab_size=code_rows(codes.num_codes),
        lengths=dataclasses.replace(config.lengths, decoder_image=int(np.prod(codes.grid))),
    )


def _image_tokenizer(source: str) -> ImageTokenizer:
    found = load(source, tokenizers=True, target_modalities=("image",))
    if "image" not in found.tokenizers:
        raise TrainError(f"image_tokenizer: {source} holds no image tokeniser; name a network that was saved with it")
    tokenizer = found.tokenizers["image"]
    if not isinstance(tokenizer, ImageTokenizer):
        raise TrainError(f"image_tokenizer: {source} holds a {type(tokenizer).__name__}")
    return tokenizer
