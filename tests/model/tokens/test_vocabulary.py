"""The id layout over several SentencePiece models, values, and the texts of the reference implementation."""

import io
import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from embodio.model.config.sizes import GENERALIST_VOCAB_SIZE
from embodio.model.tokens.vocabulary import (
    EOS_ID,
    PAD_ID,
    PREFIXES,
    UNK_ID,
    Vocabulary,
    VocabularyError,
    special_pieces,
)
from embodio.train.tokenizers import text as tokenizer_training

GOLDEN = Path(os.environ.get("EMBODIO_GOLDEN", Path(__file__).parents[2] / "golden"))
LLAMA = os.environ.get("EMBODIO_LLAMA_TOKENIZER")
CASES = Path(__file__).parents[2] / "golden" / "tokenizer_cases.json"


def cases() -> dict:
    own = GOLDEN / "tokenizer_cases.json"
    return json.loads((own if own.exists() else CASES).read_text())


def train(**options) -> bytes:
    model = io.BytesIO()
    lines = ["the red cube is on the table", "lift the cube", "a cat sat on the mat", "0123456789 ()"] * 20
    settings = {
        "model_type": "bpe",
        "vocab_size": 320,
        "byte_fallback": True,
        "normalization_rule_name": "identity",
        "remove_extra_whitespaces": False,
        "hard_vocab_limit": False,
        "minloglevel": 2,
    }
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=model, **{**settings, **options}
    )
    return model.getvalue()


@pytest.fixture(scope="module")
def default() -> Vocabulary:
    return Vocabulary.default()


def test_layout_is_that_of_the_reference_relative_to_the_number_of_pieces(default: Vocabulary) -> None:
    shift = default.text_size - 32000
    expected = {
        "<extra_id_1199>": 32000,
        "<extra_id_1000>": 32199,
        "<extra_id_200>": 32999,
        "<extra_id_199>": 33000,
        "<extra_id_0>": 33199,
        "<image_history_1>": 33200,
        "<audio_history_1>": 33201,
        "<image_history_8>": 33214,
        "<audio_history_8>": 33215,
        "<image_input>": 33216,
        "<audio_input>": 33217,
        "[Text] [S]": 33218,
        "[Text] [R]": 33219,
        "[Text] [X]": 33220,
        "[Image] [S]": 33221,
        "[Image] [R]": 33222,
        "[Audio] [S]": 33223,
        "[Audio] [R]": 33224,
    }
    for name, number in expected.items():
        assert default.encode(name, parse_special=True) == [number + shift]
        assert default.decode([number + shift]) == name
    assert default.value_id(999) == 32000 + shift and default.value_id(0) == 32999 + shift
    assert default.sentinel_id(199) == 33000 + shift and default.sentinel_id(0) == 33199 + shift
    assert default.image_history_id(1) == 33200 + shift and default.image_history_id(8) == 33214 + shift
    assert default.audio_history_id(1) == 33201 + shift and default.audio_history_id(8) == 33215 + shift
    assert (default.image_input_id, default.audio_input_id) == (33216 + shift, 33217 + shift)
    assert [default.prefix_id(*pair) for pair in PREFIXES] == [n + shift for n in range(33218, 33225)]
    assert default.size == 33225 + shift
    assert default.padded_size % 128 == 0 and 0 <= default.padded_size - default.size < 128
    assert (PAD_ID, EOS_ID, UNK_ID) == (0, 1, 2)


def test_every_special_id_has_its_own_name(default: Vocabulary) -> None:
    names = [piece.replace("\u2581", " ")[1:] for piece in special_pieces()]
    assert len(set(names)) == default.size - default.text_size == 1225
    assert default.encode(" ".join(names), parse_special=True) == list(range(default.text_size, default.size))


def test_reference_texts_have_their_special_tokens_in_place(default: Vocabulary) -> None:
    for text, ids in cases()["encode"].items():
        expected = [i - 32000 + default.text_size for i in ids if i >= 32000]
        assert [i for i in default.encode(text, parse_special=True) if i >= default.text_size] == expected
        assert all(i < default.text_size for i in default.encode(text))
        assert default.decode(default.encode(text, parse_special=True)) == cases()["decode"][text]


@pytest.mark.skipif(not LLAMA, reason="set EMBODIO_LLAMA_TOKENIZER to the path of LLaMA's tokenizer.model")
def test_llama_file_gives_the_reference_ids() -> None:
    vocabulary = Vocabulary.from_file(str(LLAMA))
    golden = cases()
    assert (vocabulary.text_size, vocabulary.size, vocabulary.padded_size) == (32000, golden["vocab_size"], 33280)
    for text, ids in golden["encode"].items():
        assert vocabulary.encode(text, parse_special=True) == ids
        assert vocabulary.decode(ids) == golden["decode"][text]


@pytest.mark.parametrize(
    "options",
    [
        {"unk_id": 0, "bos_id": 1, "eos_id": 2},
        {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": 3},
        {"unk_id": 2, "bos_id": 1, "eos_id": 0},
        {"model_type": "unigram", "vocab_size": 300},
    ],
)
def test_any_order_of_control_pieces_gives_the_same_layout(options: dict) -> None:
    model = train(**options)
    vocabulary = Vocabulary.from_bytes(model)
    plain = sentencepiece.SentencePieceProcessor(model_proto=model)
    assert vocabulary.text_size == plain.vocab_size()
    others = [i for i in range(plain.vocab_size()) if i not in (plain.bos_id(), plain.eos_id(), plain.unk_id())]
    assert vocabulary.encode("lift the red cube") == [3 + others.index(i) for i in plain.encode("lift the red cube")]
    assert vocabulary.decode(vocabulary.encode("lift the red cube é")) == "lift the red cube é"
    assert vocabulary.encode("<extra_id_200>", parse_special=True) == [vocabulary.value_id(0)]


def test_a_model_without_bytes_gives_the_unknown_id() -> None:
    vocabulary = Vocabulary(train(byte_fallback=False, vocab_size=60))
    assert UNK_ID in vocabulary.encode("the 猫") and UNK_ID in vocabulary.encode("\u2581猫")
    assert vocabulary.decode([UNK_ID]).strip() == "\u2047"


def test_bytes_file_and_pickle_keep_it_equal(default: Vocabulary, tmp_path: Path) -> None:
    (tmp_path / "v.model").write_bytes(default.to_bytes())
    for copy in (
        Vocabulary.from_bytes(default.to_bytes()),
        Vocabulary.from_file(tmp_path / "v.model"),
        pickle.loads(pickle.dumps(default)),
    ):
        assert copy == default and hash(copy) == hash(default) and copy.fingerprint == default.fingerprint
        assert copy.encode("Lift the cube.") == default.encode("Lift the cube.")
    other = Vocabulary(train())
    assert other != default and other.fingerprint != default.fingerprint
    assert len(default.to_bytes()) < 100_000


def test_the_shipped_model_is_the_one_that_the_training_module_makes(default: Vocabulary) -> None:
    if sentencepiece.__version__ != "0.2.3":
        pytest.skip("the shipped model was trained with SentencePiece 0.2.3; others may break ties differently")
    assert Vocabulary(tokenizer_training.train()) == default


@pytest.mark.parametrize("model", [b"", b"not a model", b"\x0a\x03abc", b"\xff" * 50])
def test_bytes_that_are_no_model_are_refused(model: bytes) -> None:
    with pytest.raises(VocabularyError, match="SentencePiece"):
        Vocabulary(model)


def test_models_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(VocabularyError, match="no begin-of-sequence piece"):
        Vocabulary(train(bos_id=-1))
    with pytest.raises(VocabularyError, match="already has"):
        Vocabulary(train(user_defined_symbols=["\u2581<extra_id_7>"]))
    with pytest.raises(VocabularyError, match="missing"):
        Vocabulary.from_file(tmp_path / "missing.model")


def test_ids_out_of_range_are_refused(default: Vocabulary) -> None:
    for call, bad in (
        (default.value_id, (-1, 1000)),
        (default.value_bin, (default.text_size - 1, default.text_size + 1000)),
        (default.sentinel_id, (-1, 200)),
        (default.image_history_id, (0, 9)),
        (default.audio_history_id, (0, 9)),
    ):
        for number in bad:
            with pytest.raises(VocabularyError, match=str(number)):
                call(number)
    with pytest.raises(VocabularyError, match="'image'"):
        default.prefix_id("image", "X")


def test_value_ids_are_ordered_by_value(default: Vocabulary) -> None:
    ids = default.value_ids
    assert ids.shape == (1000,) and ids.tolist() == [default.value_id(b) for b in range(1000)]
    assert [default.value_bin(int(i)) for i in ids] == list(range(1000))
    assert np.all(np.diff(default.ids_to_values(ids)) > 0)
    assert np.array_equal(default.values_to_ids(default.ids_to_values(ids)), ids)


@given(arrays.arrays(np.float64, st.integers(0, 20), elements=st.floats(0, 1)))
def test_values_come_back_within_half_a_bin(values: np.ndarray) -> None:
    vocabulary = Vocabulary.default()
    back = vocabulary.ids_to_values(vocabulary.values_to_ids(values))
    assert np.all(np.abs(back - values) <= 0.5 / 999 + 1e-12)
    low = vocabulary.ids_to_values(vocabulary.values_to_ids(values, rounding="trunc"))
    assert np.all((low <= values + 1e-12) & (values - low <= 1 / 999 + 1e-12))
    order = np.argsort(values, kind="stable")
    assert np.all(np.diff(vocabulary.values_to_ids(values)[order]) <= 0)  # monotone: ids fall while values rise


@given(st.floats(0, 1, width=32))
def test_float32_values_are_truncated_in_float32(value: float) -> None:
    vocabulary = Vocabulary.default()
    expected = int(np.float32(value) * np.float32(999))
    assert vocabulary.values_to_ids(np.float32(value), rounding="trunc") == vocabulary.value_id(expected)


def test_both_denominators(default: Vocabulary) -> None:
    ids = np.array([[default.value_id(0), default.value_id(500)], [default.value_id(999), default.value_id(1)]])
    assert np.array_equal(default.ids_to_values(ids), np.array([[0, 500], [999, 1]]) / 999)
    assert np.array_equal(default.ids_to_values(ids, denominator=1000), np.array([[0, 500], [999, 1]]) / 1000)
    thousandths = default.values_to_ids([0.5, 1.0], denominator=1000)
    assert thousandths.tolist() == [default.value_id(500), default.value_id(999)]


@pytest.mark.parametrize("value", [-1e-9, 1.0000001, float("nan"), float("inf")])
def test_values_outside_the_unit_interval_are_refused(default: Vocabulary, value: float) -> None:
    with pytest.raises(VocabularyError, match=r"index \(1,\)"):
        default.values_to_ids([0.5, value])


def test_wrong_arguments_for_values_are_refused(default: Vocabulary) -> None:
    with pytest.raises(VocabularyError, match="rounding"):
        default.values_to_ids([0.5], rounding="up")  # type: ignore[arg-type]
    with pytest.raises(VocabularyError, match="denominator"):
        default.ids_to_values([default.value_id(0)], denominator=998)  # type: ignore[arg-type]
    with pytest.raises(VocabularyError, match="integers"):
        default.ids_to_values([1.5])
    with pytest.raises(VocabularyError, match="not a value bin"):
        default.ids_to_values([default.value_id(0), default.sentinel_id(0)])


def test_the_vocabulary_of_small_generalists_has_long_english_pieces() -> None:
    text = "the robot arm lifts the red cube from the table"
    nano = Vocabulary.nano()
    assert nano.decode(nano.encode(text)) == text
    assert len(nano.encode(text)) < 0.7 * len(Vocabulary.default().encode(text))
    assert nano.decode(nano.encode("Grüße, 機器人")) == "Grüße, 機器人"
    assert nano.padded_size == GENERALIST_VOCAB_SIZE
