"""ActionCodec: within half a level, monotone, total."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embodio.agent import ActionCodec, ActionError, PolicyFormat
from embodio.envs.embodiment import ActionSpec, Dimension
from embodio.model.tokens.statistics import Normaliser
from embodio.model.tokens.vocabulary import Vocabulary
from tests.support.agent.policies import make_embodiment, make_format, make_statistics

finite = st.floats(-1e6, 1e6, allow_nan=False)
bin_counts = st.integers(2, 1000)


@st.composite
def specs(draw: st.DrawFn) -> ActionSpec:
    """Any robot: one to eight dimensions with any limits."""
    dimensions = []
    for i in range(draw(st.integers(1, 8))):
        low = draw(st.floats(-1e3, 1e3))
        width = draw(st.floats(1e-3, 1e3))
        dimensions.append(Dimension(f"d{i}", "", low, low + width, draw(st.sampled_from(["continuous", "binary"]))))
    return ActionSpec(tuple(dimensions), "delta", "base", "none", "none", "test")


def limits_of(spec: ActionSpec) -> Normaliser:
    return Normaliser.from_limits([d.low for d in spec.dimensions], [d.high for d in spec.dimensions])


def codec_of(spec: ActionSpec, bins: int) -> ActionCodec:
    return ActionCodec(spec, limits_of(spec), Vocabulary.default(), bins)


@settings(max_examples=200, deadline=None)
@given(specs(), bin_counts, st.data())
def test_round_trip_is_within_half_a_level(spec: ActionSpec, bins: int, data: st.DataObject) -> None:
    codec = codec_of(spec, bins)
    action = np.array(
        [
            data.draw(st.sampled_from([d.low, d.high]) if d.kind == "binary" else st.floats(d.low, d.high))
            for d in spec.dimensions
        ]
    )
    decoded = codec.decode(codec.encode(action)).astype(np.float64)
    rounding = 1e-6 * np.maximum(1.0, np.abs(action))
    assert (np.abs(decoded - action) <= codec.resolution / 2 + rounding).all()


@settings(max_examples=200, deadline=None)
@given(specs(), bin_counts, st.data())
def test_a_larger_number_never_gets_a_smaller_value(spec: ActionSpec, bins: int, data: st.DataObject) -> None:
    codec = codec_of(spec, bins)
    numbers = st.lists(finite, min_size=codec.size, max_size=codec.size)
    a, b = np.array(data.draw(numbers)), np.array(data.draw(numbers))
    low, high = np.minimum(a, b), np.maximum(a, b)
    order = [list(ids) for ids in codec.legal_ids]
    for i, (small, large) in enumerate(zip(codec.encode(low), codec.encode(high), strict=True)):
        assert order[i].index(small) <= order[i].index(large)
    assert (codec.decode(codec.encode(low)) <= codec.decode(codec.encode(high))).all()


@settings(max_examples=200, deadline=None)
@given(specs(), bin_counts, st.data())
def test_every_legal_sequence_decodes_inside_the_limits(spec: ActionSpec, bins: int, data: st.DataObject) -> None:
    codec = codec_of(spec, bins)
    ids = np.array([data.draw(st.sampled_from([int(x) for x in legal])) for legal in codec.legal_ids])
    action = codec.decode(ids)
    assert action.dtype == np.float32 and action.shape == (codec.size,)
    assert np.isfinite(action).all()
    for value, dimension in zip(action, spec.dimensions, strict=True):
        assert dimension.low <= float(value) <= dimension.high
    # A level's own number comes back to it, where float32 can tell neighbouring levels apart.
    largest = np.max(np.abs([[d.low, d.high] for d in spec.dimensions]), axis=1)
    distinct = codec.resolution > 1e-5 * largest
    assert (codec.encode(action) == ids)[distinct].all()


def test_zero_is_a_level_and_binary_dimensions_have_two(policy_format: PolicyFormat) -> None:
    codec = policy_format.codec
    assert codec.decode(codec.encode([0.0, 0.0, 1.0]))[0] == 0.0
    assert [len(ids) for ids in codec.legal_ids] == [201, 201, 2]
    assert codec.decode(codec.encode([0.3, 0.0, 0.2]))[2] == 1.0
    assert codec.decode(codec.encode([0.3, 0.0, -0.2]))[2] == -1.0


@pytest.mark.parametrize("kind", ["minmax", "quantiles"])
def test_range_of_the_data_set(kind: str) -> None:
    policy_format = make_format(action_range=kind)
    low = policy_format.codec.decode([ids[0] for ids in policy_format.codec.legal_ids])
    field = make_statistics(make_embodiment()).field("action")
    expected = field.min if kind == "minmax" else field.q01
    np.testing.assert_allclose(low[:2], np.asarray(expected)[:2], atol=1e-6)


def test_batches_of_chunks_keep_their_shape(policy_format: PolicyFormat) -> None:
    actions = np.random.default_rng(0).uniform(-0.3, 1.0, (5, 4, 3))
    ids = policy_format.codec.encode(actions)
    assert ids.shape == actions.shape
    np.testing.assert_array_equal(policy_format.actions(ids.reshape(5, 12)), policy_format.codec.decode(ids))


def test_wrong_input_is_named(policy_format: PolicyFormat) -> None:
    codec = policy_format.codec
    with pytest.raises(ActionError, match="turn"):
        codec.encode([0.0, np.nan, 0.0])
    with pytest.raises(ActionError, match="3 numbers"):
        codec.encode([0.0, 0.0])
    with pytest.raises(ActionError, match="'turn'"):
        codec.decode([int(codec.legal_ids[0][0]), 1, int(codec.legal_ids[2][0])])
    with pytest.raises(ActionError, match="integers"):
        codec.decode([0.5, 0.5, 0.5])
    with pytest.raises(ActionError, match="bins"):
        ActionCodec(codec.action, limits_of(codec.action), Vocabulary.default(), 1)
