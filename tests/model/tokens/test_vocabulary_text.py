"""Any text survives, and no text can name or split a special token."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from embodio.model.tokens.vocabulary import EOS_ID, PAD_ID, Vocabulary, VocabularyError, special_pieces

VOCABULARY = Vocabulary.default()
SPECIAL_NAMES = [piece.replace("\u2581", " ")[1:] for piece in special_pieces()]
UNICODE = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
# Texts made of what could confuse: names of special and control pieces, spaces of all kinds, the space mark itself.
TRICKY = st.lists(
    st.one_of(
        st.sampled_from(SPECIAL_NAMES),
        st.sampled_from(special_pieces()),
        st.sampled_from([" ", "  ", "\u2581", "\x00", "\n", " \u2047 ", "\ufeff"]),
        st.sampled_from(["<s>", "</s>", "<unk>", "<pad>", "<0x41>"]),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
    ),
    max_size=8,
).map("".join)
TEXTS = st.one_of(UNICODE, TRICKY)
SPECIAL_IDS = st.integers(VOCABULARY.text_size, VOCABULARY.size - 1)


@given(TEXTS)
@example("\u2581")
@example(" \u2581 \u2581")
@example("naïve 🦙 12.5")
@example("")
def test_any_text_comes_back(text: str) -> None:
    assert VOCABULARY.decode(VOCABULARY.encode(text)) == text


@given(TEXTS)
def test_text_never_becomes_a_special_token(text: str) -> None:
    assert all(3 <= i < VOCABULARY.text_size for i in VOCABULARY.encode(text))


@given(st.lists(st.one_of(TEXTS, SPECIAL_IDS), max_size=8))
def test_special_ids_pass_between_any_texts(prompt: list[str | int]) -> None:
    ids = VOCABULARY.encode(prompt)
    assert [i for i in ids if i >= VOCABULARY.text_size] == [part for part in prompt if isinstance(part, int)]
    assert ids == [i for part in prompt for i in (VOCABULARY.encode(part) if isinstance(part, str) else [part])]


@pytest.mark.parametrize("second", ["b", " b", "\u2581b", "\u2581"])
def test_every_text_of_a_prompt_begins_a_new_word(second: str) -> None:
    assert VOCABULARY.decode(VOCABULARY.encode(["a", second])) == f"a {second}"


@given(st.text(st.characters(codec="ascii"), max_size=20), st.sampled_from(SPECIAL_NAMES))
def test_parsing_finds_a_name_exactly_where_a_word_begins(before: str, name: str) -> None:
    found = VOCABULARY.encode(f"{before} {name}", parse_special=True)[-1]
    assert found == VOCABULARY.text_size + SPECIAL_NAMES.index(name)
    for glued in ("x", "(", "\n"):
        ids = VOCABULARY.encode(glued + name, parse_special=True)
        assert ids[0] < VOCABULARY.text_size and VOCABULARY.text_size + SPECIAL_NAMES.index(name) not in ids


@given(st.lists(st.integers(-5, VOCABULARY.size + 5), max_size=30))
def test_any_ids_decode_to_a_text_that_ends_with_the_first_end(ids: list[int]) -> None:
    text = VOCABULARY.decode(ids)
    end = ids.index(EOS_ID) if EOS_ID in ids else len(ids)
    assert text == VOCABULARY.decode(ids[:end]) and text.encode("utf-8").decode("utf-8") == text


def test_decode_skips_padding_and_marks_unknown_ids() -> None:
    ids = VOCABULARY.encode("lift it")
    assert VOCABULARY.decode([PAD_ID, *ids, PAD_ID, EOS_ID, *ids]) == "lift it"
    assert VOCABULARY.decode(np.array([VOCABULARY.size])).strip() == "\u2047"
    with pytest.raises(VocabularyError, match="integers"):
        VOCABULARY.decode([0.5])  # type: ignore[list-item]


@pytest.mark.parametrize("part", [-1, VOCABULARY.size, True, 1.0, None, b"x", ["x"]])
def test_parts_that_are_neither_text_nor_id_are_refused(part: object) -> None:
    with pytest.raises(VocabularyError):
        VOCABULARY.encode(["lift", part])  # type: ignore[list-item]


@pytest.mark.parametrize("prompt", [None, 5, 1.5])
def test_prompts_that_are_none_are_refused(prompt: object) -> None:
    with pytest.raises(VocabularyError, match=f"found {type(prompt).__name__}"):
        Vocabulary.default().encode(prompt)  # type: ignore[arg-type]


def test_a_lone_surrogate_is_refused() -> None:
    for special in (False, True):
        with pytest.raises(VocabularyError, match="surrogate at character 2"):
            VOCABULARY.encode("ab\ud800c", parse_special=special)


def test_numpy_ids_are_ids() -> None:
    value_ids = VOCABULARY.values_to_ids([0.0, 1.0])
    assert VOCABULARY.encode(["go", *value_ids]) == [*VOCABULARY.encode("go"), *value_ids.tolist()]
    assert VOCABULARY.encode(value_ids) == value_ids.tolist()


def test_the_result_is_the_callers_own() -> None:
    ids = VOCABULARY.encode("lift the cube")
    ids.append(7)
    assert VOCABULARY.encode("lift the cube") == ids[:-1]


def test_long_texts_are_not_remembered() -> None:
    vocabulary = Vocabulary(VOCABULARY.to_bytes())
    long = "the cube " * 500
    assert vocabulary.decode(vocabulary.encode(long)) == long
    assert vocabulary._cached_text_ids.cache_info().currsize == 0


def test_common_instructions_are_short() -> None:
    assert len(VOCABULARY.encode("Lift the cube above the table.")) <= 12
