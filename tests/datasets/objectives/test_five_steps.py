"""Records of every combination of modalities: what is hidden stays hidden, prefixes say what was done, lengths fit."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from embodio.datasets.errors import DatasetError, UnusableRecord
from embodio.datasets.objectives import named_objective
from embodio.datasets.objectives.objective import ObjectiveContext
from embodio.datasets.objectives.parts.settings import PatchSettings, TextSettings
from embodio.datasets.objectives.parts.spans import Denoiser, restore_text
from embodio.datasets.records.record import Media, Record, Video
from embodio.model import Example, Processor, UnifiedIO2, collate
from embodio.model.config.parts import LengthConfig, SamplingConfig
from embodio.model.example import NEUTRAL_PROMPTS
from embodio.model.tokens.vocabulary import PREFIXES, SENTINELS
from tests.support.model.small import CONFIG, VOCABULARY

CONTEXT = ObjectiveContext(CONFIG, VOCABULARY)
PROCESSOR = Processor(CONFIG, VOCABULARY, cut_text=False)
NAMES = ("denoise_text", "denoise_image", "denoise_audio", "multimodal")
SEGMENT = 31 * 256
SENTINEL_IDS = {VOCABULARY.sentinel_id(index): index for index in range(SENTINELS)}
PREFIX_IDS = {VOCABULARY.prefix_id(*prefix): prefix for prefix in PREFIXES}
TEXTS = st.one_of(
    st.text(st.characters(blacklist_categories=("Cs",)), min_size=1, max_size=40),
    st.integers(1, 900).map(lambda count: " ".join(f"word{number}" for number in range(count))),
)


def picture(seed: int, height: int = 40, width: int = 24) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 256, (height, width, 3), dtype=np.uint8)


def noise(seed: int, samples: int = SEGMENT) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, samples).astype(np.float32)


@st.composite
def records(draw: st.DrawFn) -> Record:
    """Plain records of any parts, videos with and without sound and text, documents of any order."""
    kind, seed = draw(st.sampled_from(["plain", "plain", "video", "document"])), draw(st.integers(0, 99))
    text, flags = draw(TEXTS), [draw(st.booleans()) for _ in range(4)]
    if kind == "video":
        frames = draw(st.integers(1, 12))
        video = Video(
            frames=np.stack([picture(seed + number, 24, 32) for number in range(frames)]),
            rate=4.0,
            sound=noise(seed, frames * 4000) if flags[0] else None,
        )
        spoken = {"transcript": text} if flags[1] else {}
        return Record(key="v", video=Media.of(video), captions=("a caption",) * flags[2], **spoken)
    if kind == "document":
        parts = draw(st.lists(st.one_of(TEXTS, st.integers(0, 99)), min_size=1, max_size=8))
        return Record(key="d", document=[Media.of(picture(p)) if isinstance(p, int) else p for p in parts])
    return Record(
        key="p",
        text=text if flags[0] else "",
        captions=("one caption", text) if flags[1] else (),
        image=Media.of(picture(seed, draw(st.integers(20, 60)), draw(st.integers(20, 60)))) if flags[2] else None,
        sound=Media.of(noise(seed, draw(st.integers(2000, 5 * SEGMENT)))) if flags[3] else None,
    )


def made(name: str, record: Record, seed: int = 0, context: ObjectiveContext = CONTEXT, **config: Any) -> Example:
    kind = named_objective(name)
    objective = kind(kind.settings(**config))
    assert objective.suits(record, context)
    return objective.example(record, context, np.random.default_rng(seed))


def ids_of(prompt: Any) -> list[int]:
    return VOCABULARY.encode(prompt)


def references(example: Example) -> Counter[int]:
    """The tokens that refer to what an example gives."""
    found = [VOCABULARY.image_history_id(number + 1) for number in range(len(example.image_history))]
    found += [VOCABULARY.audio_history_id(number + 1) for number in range(len(example.audio_history))]
    found += [VOCABULARY.image_input_id] if example.image is not None else []
    found += [VOCABULARY.audio_input_id] if example.audio is not None else []
    return Counter(found)


def in_prompt(example: Example) -> Counter[int]:
    low, high = VOCABULARY.image_history_id(1), VOCABULARY.audio_input_id
    return Counter(token for token in ids_of(example.text) if low <= token <= high)


@settings(max_examples=100, deadline=None)
@given(records(), st.sampled_from(NAMES), st.integers(0, 2**32))
def test_every_record_makes_examples_that_fit_the_network(record: Record, name: str, seed: int) -> None:
    objective = named_objective(name)()
    if not objective.suits(record, CONTEXT):
        return
    try:
        example = objective.example(record, CONTEXT, np.random.default_rng(seed))
    except UnusableRecord:
        silent = record.video is not None and record.video.load().sound is None
        assert silent or not VOCABULARY.encode(record.text + "".join(record.captions) + record.transcript)
        return
    features = PROCESSOR(example, np.random.default_rng(0))
    targets = [key for key in ("text_target", "image_target", "audio_target") if getattr(example, key) is not None]
    assert len(targets) == 1
    prompt = ids_of(example.text)
    modality, paradigm = PREFIX_IDS[prompt[0]]
    assert targets == [f"{modality}_target"]
    if name != "multimodal":
        assert name == f"denoise_{modality}"
    assert in_prompt(example) <= references(example), "the prompt refers to what is given"
    if modality == "text":
        assert example.image_hidden is None and example.audio_hidden is None
        check_text(example, prompt, paradigm)
    else:
        check_patches(example, features, modality, paradigm)
        assert not SENTINEL_IDS.keys() & set(prompt)
    again = objective.example(record, CONTEXT, np.random.default_rng(seed))
    for key, value in PROCESSOR(again, np.random.default_rng(0)).items():
        np.testing.assert_array_equal(value, features[key], err_msg="a function of record and generator")


def check_text(example: Example, prompt: list[int], paradigm: str) -> None:
    """Sentinels count up from 0 in prompt and target alike, and none are needed for the end of a text."""
    target = ids_of(example.text_target)
    used = [SENTINEL_IDS[token] for token in prompt if token in SENTINEL_IDS]
    assert used == [SENTINEL_IDS[token] for token in target if token in SENTINEL_IDS] == list(range(len(used)))
    assert (paradigm == "S") == (not used) and len(target) > len(used)
    low, high = VOCABULARY.image_history_id(1), VOCABULARY.audio_input_id
    assert not any(low <= token <= high for token in target), "references are given, not written"


def check_patches(example: Example, features: dict[str, np.ndarray], modality: str, paradigm: str) -> None:
    """[R] gives a part of the target itself, [S] none of it."""
    hidden, given = getattr(example, f"{modality}_hidden"), getattr(example, modality)
    written = getattr(example, f"{modality}_target")
    assert (paradigm == "R") == (hidden is not None)
    task = features[f"targets/{modality}/task_mask"]
    if paradigm == "S":
        assert given is None or given is not written
        assert not task.any()
        return
    np.testing.assert_array_equal(given, written)
    seen = features[f"inputs/{modality}/pos_ids"]
    assert not hidden.reshape(-1)[seen].any() and len(seen) == (~hidden).sum()
    assert task.any() and hidden.any() and features[f"inputs/{modality}/mask"].any()


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 2500), st.integers(0, 2**32), st.sampled_from(["r_3", "x_3", "x_64", "s"]))
def test_text_put_together_is_a_window_of_the_text(count: int, seed: int, name: str) -> None:
    text = " ".join(f"w{number}" for number in range(count))
    only = {name: TextSettings().denoisers[name]}
    example = made("denoise_text", Record(key="t", text=text), seed, denoisers=only)
    restored = VOCABULARY.decode(restore_text(example.text[1:], example.text_target, VOCABULARY))
    assert restored in f" {text}"
    assert len(PROCESSOR(example)["inputs/text/tokens"]) <= 200
    if count > 500 and name != "s":
        assert len(example.text) + len(example.text_target) > 0.7 * min(200 / 0.9, 240 / 0.7), "room is used"


def test_windows_of_long_texts_lie_anywhere() -> None:
    text = " ".join(f"w{number:06d}" for number in range(20_000))
    firsts = []
    for seed in range(60):
        example = made("denoise_text", Record(key="t", text=text), seed, denoisers={"s": Denoiser("S", 0.25)})
        words = VOCABULARY.decode(example.text[1:]).split()
        firsts.append(int(next(word for word in words if len(word) == 7 and word[0] == "w")[1:]))
    assert min(firsts) < 4000 and max(firsts) > 16_000 and len(set(firsts)) > 50


def test_there_are_never_more_than_200_sentinels() -> None:
    long = CONFIG.replace(lengths=LengthConfig(encoder_text=3000, decoder_text=3000))
    text = " ".join(f"w{number}" for number in range(4000))
    example = made(
        "denoise_text",
        Record(key="t", text=text),
        context=ObjectiveContext(long, VOCABULARY),
        denoisers={"x": Denoiser("X", 0.5, span=1.0)},
    )
    assert len(example.text) > 1500
    assert 180 < sum(token in SENTINEL_IDS for token in example.text) <= 200


def test_examples_of_all_kinds_train_in_paper_mode_packed_as_unpacked() -> None:
    video = Video(frames=np.stack([picture(number, 24, 32) for number in range(6)]), rate=4.0, sound=noise(0, 24_000))
    sources = [
        Record(key="t", text="some words of a longer text that goes on"),
        Record(key="r", captions=("a red cup",), image=Media.of(picture(1)), sound=Media.of(noise(1))),
        Record(key="v", video=Media.of(video), transcript="we pour the water in slowly and stir"),
        Record(key="d", document=["A cat.", Media.of(picture(2)), "A dog.", Media.of(picture(3))]),
    ]
    examples = [made("multimodal", record, seed) for record in sources for seed in range(3)]
    torch.manual_seed(0)
    model = UnifiedIO2(CONFIG.paper_mode(), tokenizers=True)
    batch = collate([PROCESSOR(example) for example in examples])
    losses = [model.loss(model(batch | rows)).total for rows in ({}, {"packing/rows": torch.arange(12) // 3})]
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-5, atol=1e-5)
    losses[1].backward()
    assert all(weight.grad is None or weight.grad.isfinite().all() for weight in model.parameters())


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 99), st.integers(20, 90), st.integers(20, 90), st.floats(0.05, 0.95))
def test_the_stated_share_of_the_patches_that_show_something_is_hidden(
    seed: int, height: int, width: int, share: float
) -> None:
    record = Record(key="i", image=Media.of(picture(seed, height, width)))
    example = made("denoise_image", record, seed, share=share)
    whole = PROCESSOR(Example(text="", image=example.image))["inputs/image/mask"].reshape(4, 4).astype(bool)
    assert not (example.image_hidden & ~whole).any(), "padding is not hidden"
    assert example.image_hidden.sum() == min(max(round(share * whole.sum()), 1), whole.sum() - 1)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 99), st.integers(1500, SEGMENT), st.floats(0.05, 0.95))
def test_the_stated_share_of_the_patches_that_hold_sound_is_hidden(seed: int, samples: int, share: float) -> None:
    record = Record(key="s", sound=Media.of(noise(seed, samples)))
    example = made("denoise_audio", record, seed, share=share)
    whole = PROCESSOR(Example(text="", audio=example.audio))["inputs/audio/mask"].reshape(4, 2).astype(bool)
    assert not (example.audio_hidden & ~whole).any(), "silence is not hidden"
    assert example.audio_hidden.sum() == min(max(round(share * whole.sum()), 1), whole.sum() - 1)


def test_at_least_as_many_patches_are_hidden_as_the_network_does_not_read() -> None:
    few = CONFIG.replace(sampling=SamplingConfig(image_patches=4, audio_patches=2, num_frames=2))
    context = ObjectiveContext(few, VOCABULARY)
    image = made("denoise_image", Record(key="i", image=Media.of(picture(0, 32, 32))), context=context, share=0.1)
    audio = made("denoise_audio", Record(key="a", sound=Media.of(noise(0))), context=context, share=0.1)
    assert image.image_hidden.sum() == 12 and audio.audio_hidden.sum() == 6
    Processor(few, VOCABULARY)(image)  # nothing is left to draw


def test_every_target_paradigm_and_other_part_is_drawn() -> None:
    record = Record(key="r", captions=("a red cup",), image=Media.of(picture(1)), sound=Media.of(noise(1)))
    seen, given, neutral = Counter[tuple[str, str]](), Counter[str](), 0
    for seed in range(600):
        example = made("multimodal", record, seed)
        seen[PREFIX_IDS[ids_of(example.text)[0]]] += 1
        given["image"] += example.image is not None
        given["audio"] += example.audio is not None
        neutral += NEUTRAL_PROMPTS["image"] in example.text or NEUTRAL_PROMPTS["audio"] in example.text
    by_target = Counter[str]()
    for (modality, _), count in seen.items():
        by_target[modality] += count
    assert set(seen) == set(PREFIXES)
    assert all(150 < by_target[modality] < 250 for modality in ("text", "image", "audio"))
    assert all(250 < count < 500 for count in given.values())
    assert 0 < neutral < 40


def test_one_prompt_in_ten_is_neutral() -> None:
    record = Record(key="r", captions=("a red cup",), image=Media.of(picture(1)))
    examples = [made("denoise_image", record, seed, denoise=0.0) for seed in range(400)]
    neutral = [example for example in examples if NEUTRAL_PROMPTS["image"] in example.text]
    assert 20 <= len(neutral) <= 65
    assert all(example.image is None and ids_of(example.text)[0] in PREFIX_IDS for example in neutral)


def test_an_image_alone_is_denoised_and_a_text_alone_divided() -> None:
    for seed in range(10):
        image = made("multimodal", Record(key="i", image=Media.of(picture(0))), seed)
        assert image.image_hidden is not None and len(ids_of(image.text)) == 1
        text = made("multimodal", Record(key="t", text="one two three four five"), seed)
        assert len(text.text) > 1, "[S] of a text alone gives its beginning"


def test_a_caption_is_written_whole_where_the_image_is_given() -> None:
    record = Record(key="r", captions=("a red cup",), image=Media.of(picture(1)))
    only = {"s": Denoiser("S", 0.25)}
    example = made("denoise_text", record, keep=1.0, whole=1.0, denoisers=only)
    assert VOCABULARY.decode(example.text_target) == "a red cup" and len(example.text) == 1
    assert example.image is not None


def test_a_long_sound_comes_with_the_segments_before() -> None:
    record = Record(key="r", captions=("bells",), sound=Media.of(noise(1, 4 * SEGMENT + 9)))
    example = made("denoise_text", record, keep=1.0)
    assert len(example.audio) == SEGMENT and len(example.audio_history) == 2
    assert len(made("denoise_audio", record).audio_target) == SEGMENT


@pytest.mark.parametrize("name", NAMES)
def test_networks_without_sound_are_given_none(name: str) -> None:
    deaf = CONFIG.replace(
        input_modalities=("text", "image"), target_modalities=("text", "image"), audio_tokenizer=None, audio_tower=None
    )
    context, processor = ObjectiveContext(deaf, VOCABULARY), Processor(deaf, VOCABULARY)
    record = Record(key="r", captions=("a",), image=Media.of(picture(1)), sound=Media.of(noise(1)))
    assert named_objective(name)().suits(record, context) == (name != "denoise_audio")
    assert not named_objective(name)().suits(Record(key="s", sound=record.sound), context)
    if name != "denoise_audio":
        for seed in range(8):
            processor(made(name, record, seed, context))


@pytest.mark.parametrize(
    ("name", "record", "message"),
    [
        ("denoise_audio", Record(key="r", sound=Media.of(np.zeros(900, np.float32))), "silent"),
        ("denoise_audio", Record(key="r", sound=Media.of(np.zeros(0, np.float32))), "no samples"),
        ("denoise_audio", Record(key="r", sound=Media.of(np.full(900, np.nan, np.float32))), "samples must lie"),
        ("denoise_text", Record(key="r", text="a \ud800 b"), "lone surrogate"),
        ("denoise_image", Record(key="r", image=Media.of(np.ones((1, 900, 3), np.uint8))), "too thin|too little"),
    ],
)
def test_records_with_nothing_in_them_are_unusable(name: str, record: Record, message: str) -> None:
    with pytest.raises(UnusableRecord, match=message):
        made(name, record)


@pytest.mark.parametrize("key", ["keep", "denoise", "share", "neutral"])
def test_settings_out_of_range_name_their_key(key: str) -> None:
    with pytest.raises(DatasetError, match=key):
        PatchSettings(**{key: 1.5})
