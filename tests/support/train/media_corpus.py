"""A corpus of a few made-up pictures and sounds in tar shards, and settings of small trainings on it."""

from __future__ import annotations

import io
import tarfile
import wave
from pathlib import Path

import numpy as np

from embodio.datasets.codecs.image_codec import encode_image
from embodio.model.config.parts import AudioTokenizerConfig, ImageTokenizerConfig

SMALL_IMAGE = ImageTokenizerConfig(
    num_codes=16,
    code_dim=4,
    channels=8,
    channel_multipliers=(1, 2),
    num_res_blocks=1,
    resolution=16,
    attention_resolutions=(),
    image_size=(16, 16),
    patch_size=(2, 2),
    norm_groups=4,
)
SMALL_AUDIO = AudioTokenizerConfig(
    num_codes=16,
    code_dim=4,
    encoder_dim=16,
    encoder_layers=1,
    encoder_mlp_dim=32,
    encoder_heads=2,
    encoder_head_dim=8,
    decoder_dim=16,
    decoder_layers=1,
    decoder_mlp_dim=32,
    decoder_heads=2,
    decoder_head_dim=8,
    spectrogram_size=(32, 32),
    patch_size=(16, 16),
)


def write_media_corpus(folder: Path, *, train: int = 6, validation: int = 3) -> Path:
    """Writes sources "drawings" (png with a text beside each) and "tones" (wav), each with both splits."""
    for split, count in (("train", train), ("validation", validation)):
        generator = np.random.default_rng(len(split))
        pictures, sounds = dict[str, bytes](), dict[str, bytes]()
        for number in range(count):
            picture = np.full((24 + number, 30, 3), generator.integers(256, size=3), dtype=np.uint8)
            picture[4:12, 4 : 10 + number] = generator.integers(256, size=3)
            pictures[f"a/{number}.png"] = encode_image(picture, "png")
            pictures[f"a/{number}.txt"] = b"a rectangle\n"
            pictures[f"a/{number}.masks.png"] = b"not a picture"
            tone = np.sin(np.arange(9000 + 500 * number) * generator.uniform(0.05, 0.5)) * 0.5
            sounds[f"{number}.wav"] = wav(tone)
        write_shard(folder / "drawings" / split / "00000.tar", pictures)
        write_shard(folder / "tones" / split / "00000.tar", sounds)
    return folder


def write_shard(path: Path, members: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def wav(samples: np.ndarray) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(16_000)
        writer.writeframes((samples * 32767).astype("<i2").tobytes())
    return file.getvalue()
