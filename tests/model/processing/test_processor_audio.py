"""Sounds and drawn targets through the processor: segments, history, masks, refusals, and mixed batches."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from embodio.model.config.model import ModelConfig
from embodio.model.example import Example
from embodio.model.network.batch import collate
from embodio.model.network.network import UnifiedIO2
from embodio.model.processing.audio import SEGMENT_SAMPLES, spectrogram_to_patches
from embodio.model.processing.audio_features import Spectrogram, mel_power, segment_samples
from embodio.model.processing.image import ImageFit
from embodio.model.processing.processor import Processor, ProcessorError
from embodio.model.tokens.vocabulary import Vocabulary
from embodio.model.weights.reference_config import from_reference_config

VOCABULARY = Vocabulary.default()
LARGE = ModelConfig.named("large")
PROCESSOR = Processor(LARGE, VOCABULARY)
SLOTS = LARGE.sampling.num_frames


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, int(seconds * 16_000)).astype(np.float32)


def patches_of(waveform: np.ndarray) -> np.ndarray:
    return spectrogram_to_patches(Spectrogram(mel_power(waveform)), (256, 128), 16)[0]


def test_a_sound_is_128_patches_in_time_order() -> None:
    sound = noise(4.08)
    features = PROCESSOR(Example(text="listen", audio=sound))
    assert features["inputs/audio/input"].shape == (128, 256) and features["inputs/audio/input"].dtype == np.float32
    assert features["inputs/audio/mask"].tolist() == [1] * 128
    assert features["inputs/audio/pos_ids"].tolist() == list(range(128))
    assert not any(key.startswith("inputs/audio_history") for key in features)
    np.testing.assert_array_equal(features["inputs/audio/input"], patches_of(sound))


def test_a_short_sound_is_followed_by_masked_silence() -> None:
    sound = noise(1.0)
    features = PROCESSOR(Example(text="listen", audio=sound))
    mask = features["inputs/audio/mask"].reshape(16, 8)
    # A row of patches is 16 frames of 256 samples; its middle frame sees 512 samples to either side.
    heard = [(16 * row + 8) * 256 - 512 < len(sound) for row in range(16)]
    assert mask.all(axis=1).tolist() == heard and mask.any(axis=1).tolist() == heard and 0 < sum(heard) < 16
    padded = np.pad(sound, (0, SEGMENT_SAMPLES - len(sound)))
    np.testing.assert_array_equal(features["inputs/audio/input"], patches_of(padded))


def test_a_long_sound_is_cut_into_history_and_the_last_segment() -> None:
    sound = noise(3 * 4.08 + 1)
    features = PROCESSOR(Example(text="listen", audio=sound))
    first, second, last = sound[: 3 * SEGMENT_SAMPLES].reshape(3, -1)
    by_hand = PROCESSOR(Example(text="listen", audio=last, audio_history=[first, second]))
    assert set(features) == set(by_hand)
    for key, array in features.items():
        np.testing.assert_array_equal(array, by_hand[key], err_msg=key)
    assert features["inputs/audio_history/mask"].sum(axis=1).tolist() == [128, 128] + [0] * (SLOTS - 2)
    np.testing.assert_array_equal(features["inputs/audio_history/input"][1], patches_of(second))
    assert not features["inputs/audio_history/input"][2:].any()


def test_earlier_sounds_alone() -> None:
    features = PROCESSOR(Example(text="listen", audio_history=[noise(2)]))
    assert "inputs/audio/input" not in features and features["inputs/audio_history/input"].shape == (SLOTS, 128, 256)


def test_sampled_patches_are_audible_ones_first() -> None:
    config = LARGE.replace(sampling=type(LARGE.sampling)(audio_patches=40))
    example = Example(text="", audio=noise(1.0))
    features = Processor(config, VOCABULARY)(example, np.random.default_rng(3))
    full = PROCESSOR(example)
    positions = features["inputs/audio/pos_ids"]
    np.testing.assert_array_equal(features["inputs/audio/input"], full["inputs/audio/input"][positions])
    audible = full["inputs/audio/mask"].sum()
    assert features["inputs/audio/mask"].tolist() == [1] * min(40, audible) + [0] * max(0, 40 - audible)
    with pytest.raises(ProcessorError, match=r"audio: .*rng"):
        Processor(config, VOCABULARY)(example)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"audio": np.zeros(100, dtype=np.int16)}, "audio: .*int16"),
        ({"audio": np.zeros(0, dtype=np.float32)}, "audio: .*no samples"),
        ({"audio": [0.1]}, "audio: .*list"),
        ({"audio": noise(4.08 * 6)}, "audio: .* 6 segments of 65280, .* 4 earlier"),
        ({"audio": noise(9), "audio_history": [noise(1)]}, "audio: .* 0 earlier"),
        ({"audio_history": [noise(5)]}, r"audio_history\[0\]: 80000 samples"),
        ({"audio_history": [noise(1)] * 5}, "audio_history: 5 frames"),
        ({"audio": Spectrogram(np.ones((128, 256), dtype=np.float32))}, "audio: .*transpose"),
        ({"audio_target": noise(5)}, "audio_target: 80000 samples"),
        ({"audio_target": Spectrogram(np.ones((8, 8), dtype=np.float32))}, r"audio_target: .*\(8, 8\)"),
        ({"audio_target": np.full(10, np.nan, dtype=np.float32)}, "audio_target: "),
        ({"image_target": np.zeros((4, 4), dtype=np.uint8)}, "image_target: "),
        ({"image_target": np.full((4, 4, 3), 2.0)}, "image_target: .*0, 1"),
    ],
)
def test_sounds_and_targets_that_do_not_fit_are_refused(parts: dict, message: str) -> None:
    with pytest.raises(ProcessorError, match=message):
        PROCESSOR(Example(text="", **parts))


def test_a_long_sound_needs_a_model_with_history() -> None:
    config = LARGE.replace(input_modalities=("text", "audio"))
    with pytest.raises(ProcessorError, match="0 earlier"):
        Processor(config, VOCABULARY)(Example(text="", audio=noise(9)))
    assert "inputs/audio/input" in Processor(config, VOCABULARY)(Example(text="", audio=noise(5)))  # one segment


def test_a_target_image_is_fitted_and_its_padding_not_trained() -> None:
    image = (np.add.outer(np.arange(100), np.arange(50))[..., None] * np.array([1.7, 1.2, 0.5])).astype(np.uint8)
    features = PROCESSOR(Example(text="draw", image_target=image))
    pixels, mask = features["targets/image/image"], features["targets/image/mask"].reshape(32, 32)
    assert pixels.shape == (256, 256, 3) and pixels.dtype == np.float32
    fit = ImageFit.of((100, 50), (256, 256))
    assert fit.left == 64 and (pixels[:, :64] == -1).all() and (pixels[:, 192:] == -1).all()
    assert mask[:, 8:24].all() and mask.sum() == 32 * 16
    np.testing.assert_array_equal(features["targets/image/loss_mask"], features["targets/image/mask"])
    assert not features["targets/image/task_mask"].any()
    back = fit.image_from_canvas((pixels + 1) / 2, "bilinear")
    assert np.abs(back - image / 255)[2:-2, 2:-2].max() < 0.03
    floats = PROCESSOR(Example(text="draw", image_target=image / 255))
    np.testing.assert_allclose(floats["targets/image/image"], pixels, atol=1e-6)


def test_a_target_sound_is_normalised_and_its_silence_not_trained() -> None:
    features = PROCESSOR(Example(text="play", audio_target=noise(2.0)))
    cells, mask = features["targets/audio/audio"], features["targets/audio/mask"].reshape(32, 16)
    assert cells.shape == (256, 128, 1) and cells.dtype == np.float32
    assert mask[:15].all() and not mask[17:].any()
    np.testing.assert_allclose(cells[200:], 5.0945 / 3.8312, rtol=1e-6)


def test_several_targets_in_one_example() -> None:
    image = np.zeros((8, 8, 3), dtype=np.uint8)
    features = PROCESSOR(Example(text="all", text_target="a", image_target=image, audio_target=noise(1)))
    assert {key.split("/")[1] for key in features if key.startswith("targets/")} == {"text", "image", "audio"}


def test_models_without_drawing_refuse_it() -> None:
    config = LARGE.replace(target_modalities=("text",))
    for name, part in (("image_target", np.zeros((8, 8, 3), np.uint8)), ("audio_target", noise(1))):
        with pytest.raises(ProcessorError, match=f"{name}: this model does not write"):
            Processor(config, VOCABULARY)(Example(text="", **{name: part}))


def test_mixed_examples_make_one_batch() -> None:
    image = np.zeros((8, 8, 3), dtype=np.uint8)
    batch = collate(
        [
            PROCESSOR(Example(text="hear", audio=noise(4.08), text_target="noise")),
            PROCESSOR(Example(text="draw", audio_history=[noise(4.08, 1)], image_target=image)),
        ]
    )
    assert batch["inputs/audio/mask"].tolist() == [[1] * 128, [0] * 128]
    assert batch["inputs/audio_history/mask"].sum(dim=(1, 2)).tolist() == [0, 128]
    assert batch["targets/image/image"].shape == (2, 256, 256, 3)
    assert batch["targets/image/mask"].sum(dim=1).tolist() == [0, 1024]
    assert not any(key.endswith(("loss_mask", "task_mask", "pos_ids")) for key in batch)
    assert not batch["inputs/audio/input"][1].any() and not batch["targets/text/targets"][1].any()


def test_the_network_takes_what_the_processor_makes() -> None:
    data = json.loads((Path(__file__).parents[2] / "golden" / "tiny_config.json").read_text())
    config = from_reference_config(data)
    config = config.replace(transformer=replace(config.transformer, vocab_size=VOCABULARY.padded_size))
    processor, image = Processor(config, VOCABULARY), np.zeros((50, 60, 3), dtype=np.uint8)
    segment = segment_samples(config.audio_size[0])
    sound = noise(1.0)[: segment // 2]
    whole = Example(text="hear", image=image, image_history=[image], audio=sound, audio_history=[sound, sound])
    torch.manual_seed(0)
    model = UnifiedIO2(config).eval()
    rng = np.random.default_rng(0)
    with torch.no_grad():
        both = model.encode(collate([processor(whole, rng), processor(Example(text="hear"), rng)]))
        alone = model.encode(collate([processor(Example(text="hear"), rng)]))
    assert both.mask is not None
    text = len(VOCABULARY.encode("hear")) + 1
    assert both.mask[1].sum() == text
    torch.testing.assert_close(both.embeddings[1][both.mask[1]], alone.embeddings[0], atol=1e-5, rtol=0)
    sizes = {
        "image": processor(whole, rng)["inputs/image/mask"].size,
        "image_history": config.sampling.num_frames * config.image_history.num_latents,
        "audio": config.audio_size[0] * config.audio_size[1] // 256,
        "audio_history": config.sampling.num_frames * config.audio_history.num_latents,
    }
    assert both.length == text + sum(sizes.values())
    heard = both.mask[0, -sizes["audio"] - sizes["audio_history"] : -sizes["audio_history"]]
    assert 0 < heard.sum() < sizes["audio"]  # half of the segment is silent
    assert both.mask[0, -sizes["audio_history"] :].sum() == 2 * config.audio_history.num_latents
