"""Best fit: no row is overfull, no example is lost; lengths are those of the network's tokens; batches stay pure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from embodio.agent import PolicyConfig, PolicyFormat
from embodio.agent.policy_network import policy_network_config
from embodio.datasets.episodes.statistics import compute_statistics
from embodio.datasets.errors import DatasetError
from embodio.datasets.rlds.reader import RLDSReader
from embodio.datasets.stream.loader import LoaderConfig
from embodio.datasets.stream.packing import Capacity, balanced, best_fit, packed, packed_rows, token_counts
from embodio.datasets.stream.stream import BatchStream, batches
from embodio.datasets.tasks.next_action import NextAction
from embodio.model import ModelConfig, Processor, UnifiedIO2
from embodio.model.network.packing import INPUT_TOKENS, ROWS, TARGET_TOKENS, Packing
from embodio.model.tokens.vocabulary import Vocabulary
from tests.support.agent.policies import make_embodiment
from tests.support.datasets.toy import write_toy_dataset


def test_the_example_of_the_docstring() -> None:
    assert best_fit([6, 5, 4, 3], [1, 5, 2, 3], Capacity(10, 10)).tolist() == [0, 1, 1, 0]
    assert best_fit([1, 1, 1], [1, 1, 1], Capacity(10, 10, examples=2)).tolist() == [0, 0, 1]
    assert best_fit([], [], Capacity(10, 10)).tolist() == []


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 40)), max_size=60), st.sampled_from([None, 1, 2, 5]))
def test_no_row_is_overfull_and_none_is_needless(lengths: list[tuple[int, int]], most: int | None) -> None:
    encoder, decoder = [length[0] for length in lengths], [length[1] for length in lengths]
    rows = best_fit(encoder, decoder, Capacity(30, 40, most))
    assert len(rows) == len(lengths)
    seen: list[int] = []
    for row in rows.tolist():
        seen += [row] if row not in seen else []
    assert seen == sorted(seen) == list(range(len(seen)))
    totals = []
    for row in range(len(seen)):
        own = rows == row
        assert own.sum() <= (most or len(lengths))
        totals.append((np.array(encoder)[own].sum(), np.array(decoder)[own].sum()))
        assert totals[-1][0] <= 30 and totals[-1][1] <= 40
    for one in range(len(totals)):  # best fit never leaves two rows that would fit into one
        for other in range(one):
            if most is None:
                assert totals[one][0] + totals[other][0] > 30 or totals[one][1] + totals[other][1] > 40


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 40)), min_size=1, max_size=60),
    st.sampled_from([None, 1, 2, 5]),
)
def test_balanced_rows_hold_what_best_fit_holds(lengths: list[tuple[int, int]], most: int | None) -> None:
    sizes, capacity = np.array(lengths), Capacity(30, 40, most)
    fitted, rows = best_fit(*sizes.T, capacity), packed_rows(*sizes.T, capacity)
    assert rows.max() == fitted.max() and len(rows) == len(lengths)
    assert sorted(dict.fromkeys(rows.tolist())) == list(dict.fromkeys(rows.tolist()))
    totals = np.stack([np.bincount(rows, weights=side) for side in sizes.T])
    assert (totals.max(axis=1) <= (30, 40)).all() and np.bincount(rows).max() <= (most or len(lengths))
    longest = np.stack([np.bincount(fitted, weights=side).max() for side in sizes.T])
    assert totals.max(axis=1).sum() <= longest.sum()


def test_balanced_rows_of_the_docstring() -> None:
    sizes = [6, 5, 4, 3, 1], [1, 5, 2, 3, 6]
    assert balanced(*sizes, Capacity(10, 10), 3).tolist() == [0, 1, 2, 2, 0]  # type: ignore[union-attr]
    assert balanced(*sizes, Capacity(10, 10), 1) is None, "19 tokens are too many for one row"


def test_padding_is_small() -> None:
    """Examples of every kind of the paper's mixture: texts, pictures to write and to read, videos, long documents."""
    rng = np.random.default_rng(0)
    kinds = [((40, 220), (20, 120)), ((10, 40), (144, 145)), ((60, 90), (6, 40)), ((80, 200), (128, 129))]
    chosen = [kinds[number] for number in rng.choice(4, 64, p=(0.4, 0.3, 0.2, 0.1))]
    reads, writes = (np.array([rng.integers(*kind[side]) for kind in chosen]) for side in (0, 1))
    rows = packed_rows(reads, writes, Capacity(648, 512))
    positions = (rows.max() + 1) * sum(np.bincount(rows, weights=side).max() for side in (reads, writes))
    assert 1 - (reads + writes).sum() / positions < 0.05


def test_blocks_are_packed_by_themselves() -> None:
    """Rows of a block are the same whichever rank makes it, and whatever else is in its batch."""
    batch = {
        "inputs/text/tokens": torch.ones(12, 9, dtype=torch.int64),
        "inputs/text/mask": (torch.arange(9) < torch.tensor([[9, 2, 5, 4, 3, 8, 1, 6, 7, 7, 2, 4]]).T).int(),
        "targets/text/targets": torch.ones(12, 4, dtype=torch.int64),
    }
    config = ModelConfig.named("nano")
    whole = packed(batch, config, Capacity(10, 12, block=4))
    for start in (0, 4, 8):
        part = packed({key: value[start : start + 4] for key, value in batch.items()}, config, Capacity(10, 12))
        rows = whole[ROWS][start : start + 4]
        assert (rows - rows.min()).tolist() == part[ROWS].tolist()
    assert whole[INPUT_TOKENS].tolist() == [9, 2, 5, 4, 3, 8, 1, 6, 7, 7, 2, 4]
    assert whole[TARGET_TOKENS].tolist() == [4] * 12
    with pytest.raises(
        DatasetError, match=r"packing\.block: 12 examples, .* do not make a whole number of blocks of 5"
    ):
        Capacity(10, 12, block=5).require_blocks(12)


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(DatasetError, match=r"an example of 11 and 2 tokens does not fit a row of 10 and 10"):
        best_fit([1, 11], [1, 2], Capacity(10, 10))
    with pytest.raises(DatasetError, match=r"packing\.decoder: got 0"):
        Capacity(1, 0)


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> tuple[BatchStream, UnifiedIO2]:
    folder: Path = write_toy_dataset(tmp_path_factory.mktemp("data") / "toy", episodes=4, steps=6)
    reader = RLDSReader(folder)
    policy = PolicyConfig(cameras=("front", "hand"), chunk=2, history_frames=2)
    form = PolicyFormat(policy, make_embodiment(), compute_statistics(reader), Vocabulary.default())
    config = policy_network_config("nano", form)
    task = NextAction(reader, form, range(4))
    torch.manual_seed(0)
    processor = Processor(config, form.vocabulary)
    return BatchStream(task, processor, 0, 8, packing=(config, Capacity(300, 24))), UnifiedIO2(config).eval()


def test_lengths_are_those_of_the_network(stream: tuple[BatchStream, UnifiedIO2]) -> None:
    made, model = stream
    batch = {key: value for key, value in made[3].items() if key != ROWS}
    encoder, decoder = token_counts(batch, model.config)
    with torch.no_grad():
        parts = model.embed_inputs(batch)
        found = sum(part.full_mask().sum(dim=1) for part in parts.values())
        targets = sum(target.tokens.full_mask().sum(dim=1) for target in model.embed_targets(batch).values())
    assert encoder.tolist() == found.tolist() and decoder.tolist() == targets.tolist()  # type: ignore[union-attr]


def test_packed_batches_are_the_same_with_workers_and_give_the_same_logits(
    stream: tuple[BatchStream, UnifiedIO2],
) -> None:
    made, model = stream
    for step, batch in enumerate(batches(made, 0, 3, config=LoaderConfig(workers=1))):
        assert all(torch.equal(value, made[step][key]) for key, value in batch.items())
        plain = {key: value for key, value in batch.items() if key != ROWS}
        with torch.no_grad():
            torch.testing.assert_close(model(batch)["text"].logits, model(plain)["text"].logits, rtol=1e-5, atol=1e-5)
            tokens = next(iter(model.embed_targets(plain).values())).tokens
        assert int(batch[ROWS].max()) < len(batch[ROWS]) - 1, "several examples share a row"
        assert Packing.of(tokens, batch[ROWS]).mask.shape[1] <= 24
