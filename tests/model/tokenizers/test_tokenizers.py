"""How tokenisers attach to the network: who tokenises what, when, and what is refused."""

from unittest.mock import patch

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from embodio.model import BatchError, ConfigError, ModelConfig, UnifiedIO2
from embodio.model.config.parts import AudioTokenizerConfig, ImageTokenizerConfig
from embodio.model.config.sizes import NANO_AUDIO_TOKENIZER, NANO_IMAGE_TOKENIZER
from embodio.model.tokenizers.audio_tokenizer import AudioTokenizer
from embodio.model.tokenizers.image_tokenizer import ImageTokenizer
from embodio.model.tokenizers.tokenizer_layers import nearest_codes
from tests.support.model.golden_network import OWN_FOLDER, GoldenNetwork, load_network, without

SMALL = ImageTokenizerConfig(
    num_codes=16,
    channels=32,
    channel_multipliers=(1, 2),
    num_res_blocks=1,
    resolution=8,
    attention_resolutions=(4,),
    image_size=(8, 8),
    patch_size=(2, 2),
)


@pytest.fixture(scope="module")
def golden() -> GoldenNetwork:
    return load_network(OWN_FOLDER, tokenizers=True)


@given(
    rows=st.integers(1, 40),
    codes=st.integers(1, 30),
    dim=st.integers(1, 6),
    seed=st.integers(0, 2**16),
    at_a_time=st.integers(1, 50),
)
@settings(max_examples=30, deadline=None)
def test_nearest_codes_are_the_nearest(rows: int, codes: int, dim: int, seed: int, at_a_time: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    vectors = torch.randn(rows, 2, dim, generator=generator)
    codebook = torch.randn(codes, dim, generator=generator)
    with patch("embodio.model.tokenizers.tokenizer_layers.SEARCH_ROWS", at_a_time):
        found = nearest_codes(vectors, codebook)
    distances = (vectors[:, :, None] - codebook).norm(dim=-1)
    assert found.shape == (rows, 2)
    assert torch.allclose(distances.gather(2, found[..., None])[..., 0], distances.amin(2), atol=1e-5)


def test_codes_in_their_own_places_survive() -> None:
    codebook = torch.randn(50, 4)
    assert torch.equal(nearest_codes(codebook, codebook), torch.arange(50))


def test_codes_do_not_depend_on_the_precision_of_a_training(golden: GoldenNetwork) -> None:
    generator = torch.Generator().manual_seed(0)
    image, audio = golden.model.tokenizers["image"], golden.model.tokenizers["audio"]
    assert isinstance(image, ImageTokenizer) and isinstance(audio, AudioTokenizer)
    pictures = torch.rand(8, *image.config.image_size, 3, generator=generator) * 2 - 1
    sounds = torch.randn(8, *reversed(audio.config.spectrogram_size), audio.config.channels, generator=generator)
    vectors = torch.randn(4096, image.codebook.shape[1], generator=generator)
    codes = image.encode(pictures), audio.encode(sounds), nearest_codes(vectors, image.codebook)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert not torch.equal(nearest_codes(image.latents(pictures), image.codebook).flatten(1), codes[0])
        found = image.encode(pictures), audio.encode(sounds), nearest_codes(vectors, image.codebook)
    assert all(torch.equal(one, two) for one, two in zip(found, codes, strict=True))


def test_codes_have_a_shape_where_nothing_is_computed() -> None:
    pictures = torch.empty(2, *SMALL.image_size, 3, device="meta")
    assert ImageTokenizer(SMALL).to("meta").encode(pictures).shape == (2, 16)


def test_tokens_count_where_both_are_given(golden: GoldenNetwork) -> None:
    ids = golden.outputs["all/target/image/target_tokens"].long().flip(0)
    batch = golden.only(("text",), ("image",)) | {"targets/image/tokens": ids}
    with torch.no_grad():
        outputs = golden.model(batch)["image"]
    assert torch.equal(outputs.targets, ids)


def test_rows_without_a_target_are_not_encoded(golden: GoldenNetwork) -> None:
    batch = golden.only(("text",), ("text", "image"))
    length = batch["targets/image/mask"].shape[1]
    for name in ("mask", "loss_mask"):
        batch[f"targets/image/{name}"] = torch.tensor([[0], [1]]).expand(2, length)
    encoded: list[int] = []
    tokenizer = golden.model.tokenizers["image"]
    original = tokenizer.encode

    def encode(images: Tensor) -> Tensor:
        encoded.append(images.shape[0])
        return original(images)

    with patch.object(tokenizer, "encode", encode), torch.no_grad():
        outputs = golden.model(batch)
        nothing = golden.model(
            batch | {f"targets/image/{name}": torch.zeros(2, length) for name in ("mask", "loss_mask")}
        )
    assert encoded == [1]
    alone = golden.model({name: value[1:] for name, value in batch.items()})
    assert torch.equal(outputs["image"].targets[1:], alone["image"].targets)
    assert torch.allclose(outputs["image"].logits[1:], alone["image"].logits, atol=1e-5)
    # A target that is masked everywhere is as good as none.
    plain = golden.model(without(batch, *(name for name in batch if name.startswith("targets/image/"))))
    assert torch.allclose(nothing["text"].logits, plain["text"].logits, atol=1e-5)
    assert golden.model.loss(nothing).modalities["image"].cross_entropy.item() == 0.0


def test_raw_targets_need_a_tokeniser(golden: GoldenNetwork) -> None:
    plain = load_network(OWN_FOLDER).model
    with pytest.raises(
        BatchError, match=r"targets/image was given raw .* tokenizers=True, or give targets/image/tokens"
    ):
        plain(golden.batch)
    with pytest.raises(BatchError, match="no tokeniser of 'image'"):
        plain.render(torch.zeros(1, 64, dtype=torch.int64), "image")
    with pytest.raises(BatchError, match="no tokeniser of 'text'"):
        golden.model.render(torch.zeros(1, 64, dtype=torch.int64), "text")
    with pytest.raises(BatchError, match="no targets/image/tokens"):
        golden.model(without(golden.batch, "targets/image/image"))


def test_shapes_and_ranges_are_checked(golden: GoldenNetwork) -> None:
    model = golden.model
    with pytest.raises(BatchError, match=r"image targets must have shape \(batch, 32, 32, 3\)"):
        model(golden.batch | {"targets/image/image": torch.zeros(2, 3, 32, 32)})
    with pytest.raises(BatchError, match=r"\(batch, time 64, mel 32, 1\)"):
        model(golden.batch | {"targets/audio/audio": torch.zeros(2, 32, 64, 1)})
    for modality, length, codes in (("image", 64, 64), ("audio", 32, 48)):
        with pytest.raises(BatchError, match=rf"shape \(batch, {length}\)"):
            model.render(torch.full((1, length - 1), 2), modality)
        for wrong in (0, 1, codes + 2):  # the start id, the reserved one and a row that no code has
            ids = torch.full((1, length), 2)
            ids[0, 3] = wrong
            with pytest.raises(BatchError, match=rf"codes 0\.\.{codes - 1}"):
                model.render(ids, modality)
            nearest = ids.clamp(2, codes + 1)
            assert torch.equal(model.render(ids, modality, clip=True), model.render(nearest, modality))


def test_render_undoes_tokenising(golden: GoldenNetwork) -> None:
    """Codes of what codes stand for: shapes, ranges and rows that do not depend on their neighbours."""
    ids = {name: golden.outputs[f"all/target/{name}/target_tokens"].long() for name in ("image", "audio")}
    image, audio = golden.model.render(ids["image"], "image"), golden.model.render(ids["audio"], "audio")
    assert image.shape == golden.batch["targets/image/image"].shape
    assert image.min() >= 0
    assert image.max() <= 1
    assert audio.shape == golden.batch["targets/audio/audio"].shape
    assert torch.allclose(golden.model.render(ids["image"][1:], "image"), image[1:], atol=1e-5)
    assert torch.allclose(golden.model.render(ids["audio"][1:], "audio"), audio[1:], atol=1e-5)


def test_a_model_without_such_targets_has_no_tokenisers() -> None:
    nano = UnifiedIO2(ModelConfig.named("nano", vocab_size=128), tokenizers=True)
    assert len(nano.tokenizers) == 0
    assert not any(name.startswith("tokenizers") for name in nano.state_dict())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"patch_size": (8, 8)}, "patch_size"),
        ({"double_z": True}, "double_z"),
        ({"channels": 48}, "multiple of 32"),
    ],
)
def test_impossible_image_tokenisers(changes: dict[str, object], message: str) -> None:
    values = {**vars(SMALL), **changes}
    with pytest.raises(ConfigError, match=message):
        ImageTokenizer(ImageTokenizerConfig(**values))


def test_unsupported_audio_tokenisers() -> None:
    for changes in ({"activation": "gelu"}, {"use_bias": True}):
        with pytest.raises(ConfigError, match="relu"), torch.device("meta"):
            AudioTokenizer(AudioTokenizerConfig(**changes))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_other_dtypes(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    tokenizer = ImageTokenizer(SMALL).to(dtype)
    codes = tokenizer.encode(torch.rand(2, 8, 8, 3) * 2 - 1)
    assert codes.shape == (2, 16)
    assert codes.dtype == torch.int64
    assert tokenizer.decode(codes).dtype == dtype


def test_the_small_tokenisers_have_the_grids_of_small_networks() -> None:
    image, audio = ImageTokenizer(NANO_IMAGE_TOKENIZER), AudioTokenizer(NANO_AUDIO_TOKENIZER)
    codes = image.encode(torch.rand(1, 96, 96, 3))
    assert codes.shape == (1, 144) and image.decode(codes).shape == (1, 96, 96, 3)
    codes = audio.encode(torch.rand(1, 256, 128, 1))
    assert codes.shape == (1, 256) and audio.decode(codes).shape == (1, 256, 128, 1)
