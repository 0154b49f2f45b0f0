"""Examples to features: against the reference's numbers, and the rules of the processor's own."""

import copy
import math
import pickle
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from embodio.model.config.model import ModelConfig
from embodio.model.example import Example
from embodio.model.network.batch import collate
from embodio.model.network.network import UnifiedIO2
from embodio.model.processing.audio_features import Spectrogram
from embodio.model.processing.image import PIXEL_MEAN, PIXEL_STD, ImageFit, image_to_patches, resize
from embodio.model.processing.processor import Processor, ProcessorError
from embodio.model.tokens.vocabulary import EOS_ID, Vocabulary
from tests.support.model.golden_network import golden_folders

GOLDEN = golden_folders()[-1]
VOCABULARY = Vocabulary.default()
NANO = ModelConfig.named("nano", vocab_size=VOCABULARY.padded_size)
TOLERANCE = 5e-6  # float32 patches of magnitude 2, scaled, normalised and summed in another order


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    path = GOLDEN / "preproc_cases.npz"
    if not path.exists():
        pytest.skip(f"no {path.name} in {GOLDEN}")
    with np.load(path) as data:
        return dict(data)


@pytest.fixture(scope="module")
def large(golden: dict[str, np.ndarray]) -> Processor:
    """A processor with the sizes of the golden arrays; ids of texts are given, so any vocabulary of the size serves."""
    patches, frames = golden["image/inputs/image/mask"].shape[1], golden["history/inputs/image_history/mask"].shape[1:]
    side, history_side = math.isqrt(patches) * 16, math.isqrt(frames[1]) * 16
    config = ModelConfig.named("large")
    sampling = {"image_patches": patches, "image_history_patches": frames[1], "num_frames": frames[0]}
    spectrogram = golden["raw/spec"].shape[:0:-1]
    config = config.replace(
        image_size=(side, side),
        image_history_size=(history_side, history_side),
        audio_size=spectrogram,
        audio_history_size=spectrogram,
        sampling=type(config.sampling)(**sampling),
    )
    processor = Processor(config, VOCABULARY)
    processor.vocabulary = _PassThrough()  # type: ignore[assignment]
    return processor


class _PassThrough:
    def encode(self, prompt: list[int]) -> list[int]:
        return list(prompt)


def prompt_of(golden: dict[str, np.ndarray], key: str) -> list[int]:
    ids = golden[key][0].tolist()
    assert ids[-1] == EOS_ID
    return ids[:-1]


def same(features: dict[str, np.ndarray], golden: dict[str, np.ndarray], case: str, part: str) -> None:
    names = [name for name in golden if name.startswith(f"{case}/{part}/")]
    assert names
    for name in names:
        ours, theirs = features[name.removeprefix(f"{case}/")], golden[name][0]
        assert ours.dtype == theirs.dtype and ours.shape == theirs.shape, name
        tolerance = TOLERANCE if theirs.dtype.kind == "f" else 0
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance, err_msg=name)


def test_text_equals_the_reference(golden: dict[str, np.ndarray], large: Processor) -> None:
    text, target = prompt_of(golden, "text/inputs/text/tokens"), prompt_of(golden, "text/targets/text/targets")
    features = large(Example(text=text, text_target=target))
    same(features, golden, "text", "inputs/text")
    same(features, golden, "text", "targets/text")


def test_image_equals_the_reference(golden: dict[str, np.ndarray], large: Processor) -> None:
    image = golden["raw/image"]
    features = large(Example(text=prompt_of(golden, "image/inputs/text/tokens"), image=image))
    same(features, golden, "image", "inputs/text")
    same(features, golden, "image", "inputs/image")
    fit = ImageFit.of(image.shape[:2], large.config.image_size)
    np.testing.assert_array_equal(fit.info, golden["image/meta/image_info"][0])


def test_image_history_equals_the_reference(golden: dict[str, np.ndarray], large: Processor) -> None:
    frames = [golden[name] for name in sorted(golden) if name.startswith("raw/history_")]
    features = large(Example(text=prompt_of(golden, "history/inputs/text/tokens"), image_history=frames))
    same(features, golden, "history", "inputs/image_history")


def test_audio_equals_the_reference(golden: dict[str, np.ndarray], large: Processor) -> None:
    earlier, main = (Spectrogram(power.T) for power in golden["raw/spec"])
    features = large(Example(text=prompt_of(golden, "audio/inputs/text/tokens"), audio=main, audio_history=[earlier]))
    same(features, golden, "audio", "inputs/text")
    same(features, golden, "audio", "inputs/audio")
    same(features, golden, "audio", "inputs/audio_history")
    assert 0 < features["inputs/audio/mask"].sum() < len(features["inputs/audio/mask"])


def test_image_target_equals_the_reference(golden: dict[str, np.ndarray], large: Processor) -> None:
    prompt = prompt_of(golden, "image_target/inputs/text/tokens")
    features = large(Example(text=prompt, image_target=golden["raw/image_target"]))
    same(features, golden, "image_target", "inputs/text")
    same(features, golden, "image_target", "targets/image")


def test_audio_target_equals_the_reference(golden: dict[str, np.ndarray], large: Processor) -> None:
    prompt = prompt_of(golden, "audio_target/inputs/text/tokens")
    features = large(Example(text=prompt, audio_target=Spectrogram(golden["raw/spec"][0].T)))
    same(features, golden, "audio_target", "inputs/text")
    same(features, golden, "audio_target", "targets/audio")


def plain_patches(image: np.ndarray, canvas: tuple[int, int], patch: int) -> np.ndarray:
    """Every step on its own, as the specification says it."""
    pixels = image.astype(np.float32) / 255 if image.dtype == np.uint8 else image.astype(np.float32)
    fit = ImageFit.of(image.shape[:2], canvas)
    padded = np.zeros((*canvas, 3), dtype=np.float32)
    inside = slice(fit.top, fit.top + fit.content[0]), slice(fit.left, fit.left + fit.content[1])
    padded[inside] = np.clip(resize(pixels, fit.content), 0, 1)
    normal = (padded - PIXEL_MEAN) / PIXEL_STD
    rows = range(0, canvas[0], patch)
    columns = range(0, canvas[1], patch)
    return np.stack([normal[r : r + patch, c : c + patch].reshape(-1) for r in rows for c in columns])


@settings(max_examples=30, deadline=None)
@given(
    st.tuples(st.integers(20, 120), st.integers(20, 120)),
    st.tuples(st.integers(2, 6), st.integers(2, 6)),
    st.sampled_from([8, 16]),
    st.booleans(),
)
def test_folded_passes_equal_the_plain_steps(
    size: tuple[int, int], grid: tuple[int, int], patch: int, floats: bool
) -> None:
    rng = np.random.default_rng(0)
    image = rng.random((*size, 3)) if floats else rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    canvas = grid[0] * patch, grid[1] * patch
    ours = image_to_patches(image, canvas, patch)
    np.testing.assert_allclose(ours, plain_patches(image, canvas, patch), rtol=0, atol=TOLERANCE)
    fitting = rng.integers(0, 256, (*canvas, 3), dtype=np.uint8)
    np.testing.assert_allclose(
        image_to_patches(fitting, canvas, patch), plain_patches(fitting, canvas, patch), rtol=0, atol=TOLERANCE
    )


def image(height: int = 128, width: int = 256, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_two_cameras_side_by_side_fill_the_canvas_of_nano() -> None:
    features = Processor(NANO, VOCABULARY)(Example(text="lift", image=image()))
    assert features["inputs/image/input"].shape == (72, 768)
    assert features["inputs/image/mask"].all()
    assert features["inputs/image/pos_ids"].tolist() == list(range(72))
    assert sorted(features) == sorted(
        [f"inputs/text/{n}" for n in ("tokens", "mask", "pos_ids")]
        + [f"inputs/image/{n}" for n in ("input", "mask", "pos_ids")]
    )


def test_text_ends_with_end_of_sequence_and_is_cut() -> None:
    processor = Processor(NANO, VOCABULARY)
    ids = [VOCABULARY.prefix_id("text"), *VOCABULARY.encode("Lift the cube.")]
    features = processor(Example(text=[VOCABULARY.prefix_id("text"), "Lift the cube."], text_target=["a", 5, 6]))
    assert features["inputs/text/tokens"].tolist() == [*ids, EOS_ID]
    assert features["targets/text/targets"].tolist() == [*VOCABULARY.encode("a"), 5, 6, EOS_ID]
    assert features["targets/text/inputs"].tolist() == [0, *VOCABULARY.encode("a"), 5, 6]
    longest, longest_target = NANO.lengths.encoder_text, NANO.lengths.decoder_text
    long = processor(Example(text=list(range(3, 400)), text_target=[9] * 600))
    assert long["inputs/text/tokens"].tolist() == [*range(3, longest + 2), EOS_ID]
    assert long["targets/text/targets"].tolist() == [9] * (longest_target - 1) + [EOS_ID]


def test_an_empty_answer_is_masked() -> None:
    features = Processor(NANO, VOCABULARY)(Example(text="lift", text_target=""))
    assert features["targets/text/targets"].tolist() == [EOS_ID]
    assert features["targets/text/mask"].tolist() == [0]


def test_empty_history_slots_are_masked_zeros() -> None:
    config = NANO.replace(sampling=type(NANO.sampling)(image_patches=72, image_history_patches=72, num_frames=3))
    features = Processor(config, VOCABULARY)(Example(text="", image_history=[image(seed=1), image(50, 50)]))
    patches, mask = features["inputs/image_history/input"], features["inputs/image_history/mask"]
    assert patches.shape == (3, 72, 768) and mask.shape == (3, 72)
    assert mask[0].all() and 0 < mask[1].sum() < 72 and not mask[2].any() and not patches[2].any()
    np.testing.assert_array_equal(patches[0], image_to_patches(image(seed=1), NANO.image_history_size, 16))


def test_sampled_patches_are_valid_ones_first_and_know_their_place() -> None:
    config = NANO.replace(sampling=type(NANO.sampling)(image_patches=30, image_history_patches=72, num_frames=1))
    processor, narrow = Processor(config, VOCABULARY), image(96, 64)
    features = processor(Example(text="", image=narrow), np.random.default_rng(1))
    full = image_to_patches(narrow, (96, 192), 16)
    positions = features["inputs/image/pos_ids"]
    assert len(set(positions.tolist())) == 30
    np.testing.assert_array_equal(features["inputs/image/input"], full[positions])
    assert features["inputs/image/mask"].tolist() == [1] * 24 + [0] * 6  # 24 patches show the image
    again = processor(Example(text="", image=narrow), np.random.default_rng(1))
    np.testing.assert_array_equal(again["inputs/image/pos_ids"], positions)
    assert not np.array_equal(
        processor(Example(text="", image=narrow), np.random.default_rng(2))["inputs/image/pos_ids"], positions
    )
    with pytest.raises(ProcessorError, match="rng"):
        processor(Example(text="", image=narrow))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"image": image()[..., 0]}, r"image: .*shape \(128, 256\)"),
        ({"image": image()[..., :2]}, "image: "),
        ({"image": image()[:0]}, "image: "),
        ({"image": image().astype(np.int64)}, "image: .*int64"),
        ({"image": image().astype(np.float32)}, "image: .*divide by 255"),
        ({"image": np.full((8, 8, 3), np.nan)}, "image: .*0, 1"),
        ({"image": [[0]]}, "image: .*list"),
        ({"image_history": [image(), image()]}, "image_history: 2 frames"),
        ({"image_history": [image()[0]]}, r"image_history\[0\]: "),
        ({"audio": np.zeros(16000, dtype=np.float32)}, "audio: "),
        ({"audio_history": [np.zeros(16000, dtype=np.float32)]}, "audio_history: "),
        ({"image_target": image()}, "image_target: "),
        ({"audio_target": np.zeros(16000, dtype=np.float32)}, "audio_target: "),
    ],
)
def test_examples_that_the_model_cannot_take_are_refused(parts: dict, message: str) -> None:
    with pytest.raises(ProcessorError, match=message):
        Processor(NANO, VOCABULARY)(Example(text="lift", **parts))


def test_modalities_that_the_model_lacks_are_refused() -> None:
    config = NANO.replace(input_modalities=("text",))
    with pytest.raises(ProcessorError, match="image: this model has no image input"):
        Processor(config, VOCABULARY)(Example(text="", image=image()))
    with pytest.raises(ProcessorError, match="image_history: this model"):
        Processor(config, VOCABULARY)(Example(text="", image_history=[image()]))


def test_a_vocabulary_larger_than_the_table_is_refused() -> None:
    with pytest.raises(ProcessorError, match=str(VOCABULARY.padded_size)):
        Processor(ModelConfig.named("nano", vocab_size=128), VOCABULARY)


def test_processing_does_not_change_the_example() -> None:
    pixels = image()
    before = pixels.copy()
    Processor(NANO, VOCABULARY)(Example(text="lift", image=pixels))
    np.testing.assert_array_equal(pixels, before)


def test_a_robot_example_takes_about_a_millisecond() -> None:
    processor, pixels, state = Processor(NANO, VOCABULARY), image(), VOCABULARY.value_ids[:9].tolist()
    prompt = [VOCABULARY.prefix_id("text"), "Lift the cube.", *state]
    seconds = []
    for _ in range(60):
        start = time.perf_counter()
        processor(Example(text=prompt, image=pixels, text_target=state))
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 3e-3  # 0.6 ms on a quiet core; a slow path (no cached matrices, no cached text) is far above


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text("ab c", max_size=6), min_size=1, max_size=4))
def test_several_answers_are_segments_of_one_row(answers: list[str]) -> None:
    processor = Processor(NANO, VOCABULARY)
    together = processor(Example(text="", text_target=answers[0], other_answers=answers[1:]))
    alone = [processor(Example(text="", text_target=answer)) for answer in answers]
    for name in ("targets", "inputs", "mask", "pos_ids"):
        parts = [features[f"targets/text/{name}"] for features in alone]
        np.testing.assert_array_equal(together[f"targets/text/{name}"], np.concatenate(parts))
        assert together[f"targets/text/{name}"].dtype == np.int32
    lengths = [len(features["targets/text/targets"]) for features in alone]
    segments = together["targets/text/segment_ids"]
    assert segments.tolist() == [number for number, length in enumerate(lengths, 1) for _ in range(length)]


def test_several_answers_are_trained_as_if_each_were_alone() -> None:
    torch.manual_seed(0)
    model, processor = UnifiedIO2(NANO).eval(), Processor(NANO, VOCABULARY)
    answers = ["a cup", "a red cup on a table", "cup"]
    examples = [Example(text="what is it?", text_target=answer) for answer in answers]
    several = Example(text="what is it?", text_target=answers[0], other_answers=answers[1:])
    with torch.no_grad():
        alone = [model(collate([processor(example)]))["text"] for example in examples]
        batch = collate([processor(several), processor(examples[1])])
        together = model(batch)["text"]
        loss = model.loss({"text": together}).modalities["text"]
    logits = torch.cat([output.logits[0] for output in alone])
    torch.testing.assert_close(together.logits[0], logits, atol=1e-5, rtol=0)
    counts = [len(output.targets[0]) for output in alone]
    assert int(loss.weight) == sum(counts) + counts[1]
    means = [model.loss({"text": output}).modalities["text"].cross_entropy.item() for output in alone]
    total = sum(mean * count for mean, count in zip(means, counts, strict=True)) + means[1] * counts[1]
    assert loss.cross_entropy.item() == pytest.approx(total / (sum(counts) + counts[1]), abs=1e-5)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"other_answers": ["a"]}, "no text_target with them"),
        ({"other_answers": "ab", "text_target": "a"}, "found one text"),
        ({"image": np.zeros((4, 4), np.uint8)}, "repeat grey three times"),
        ({"image": np.zeros((4, 4, 4), np.uint8)}, "leave out the fourth channel"),
        ({"image": np.zeros((3, 4, 5), np.uint8)}, "transpose it"),
        ({"image": [[1]]}, "give it as a NumPy array"),
    ],
)
def test_refusals_say_what_to_do(parts: dict, message: str) -> None:
    with pytest.raises(ProcessorError, match=message):
        Processor(NANO, VOCABULARY)(Example(text="", **parts))


def test_features_that_texts_share_cannot_be_written_here_or_in_a_worker() -> None:
    processor = Processor(NANO, VOCABULARY)
    for own in (processor, pickle.loads(pickle.dumps(processor)), copy.deepcopy(processor)):
        features = own(Example(text=["a"], text_target="b"))
        for name in ("inputs/text/mask", "inputs/text/pos_ids", "targets/text/mask"):
            with pytest.raises(ValueError, match="read-only"):
                features[name][:] = 0
