"""Suite train: a training step, packed against padded, and against its bare matrix products and attention; examples.

All ways of making a batch are given the same examples, and take turns in one run. "Tokens that count" are the valid
ones of both sides. With one thread processor time counts, with more wall-clock time.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from functools import partial

import torch
from rich.progress import Progress

from embodio.benchmarks.speed.machine import usable_cores
from embodio.benchmarks.speed.suites import BenchmarkConfig, Row
from embodio.benchmarks.speed.suites.model import fastest
from embodio.benchmarks.speed.training.annotated_examples import annotated_cost
from embodio.benchmarks.speed.training.batch_forms import Forms, batch_forms, positions
from embodio.benchmarks.speed.training.making_examples import example_cost
from embodio.benchmarks.speed.training.step_account import Recording, shares
from embodio.datasets.stream.packing import packed, padding
from embodio.model import ModelConfig, UnifiedIO2
from embodio.model.layers.token_sequence import concatenate
from embodio.model.network.batch import Batch
from embodio.model.network.packing import ALWAYS_ROWS, ROWS, packings
from embodio.train.experiments.pretrain.config import PretrainConfig
from embodio.train.experiments.pretrain.network import seen_in_training
from embodio.train.objective import TokenLoss
from embodio.train.optimisers.config import OptimiserConfig
from embodio.train.optimisers.optimiser import make_optimiser

_MATRIX = (640, 1024, 2816)
_CLIP = 1.0
_COPIED = 1 << 24  # float32 numbers, more than caches hold


def run(config: BenchmarkConfig, progress: Progress) -> list[Row]:
    """Measures the suite.

    Args:
        config: `quick` takes few examples and a toy.
        progress: where progress is shown.

    Raises:
        BenchmarkError: the corpus is incomplete or damaged.
    """
    task = progress.add_task("making batches", total=6)
    torch.manual_seed(0)
    network = _network(config.quick)
    forms = batch_forms(network, 4 if config.quick else 32, config.corpus)
    trained = _Trained(network)
    rows = []
    for what, measure in (
        ("padding", lambda: _padding(forms, network)),
        ("packed against padded", lambda: _throughput(trained, forms, config)),
        ("packing alone", lambda: _packing(trained, forms, config)),
        ("floor of a step", lambda: _floors(trained, forms, config)),
        ("making examples", lambda: example_cost(network, config.repeats, 3 if config.quick else 60)),
        ("making annotated examples", lambda: annotated_cost(network, config.repeats, 3 if config.quick else 60)),
    ):
        progress.update(task, description=what)
        rows += measure()
        progress.advance(task)
    return rows


def _network(quick: bool) -> ModelConfig:
    nano = seen_in_training(ModelConfig.named("nano_generalist"), PretrainConfig.patches)
    if not quick:
        return nano
    transformer = dataclasses.replace(
        nano.transformer, emb_dim=16, num_heads=2, head_dim=8, mlp_dim=32, num_encoder_layers=1, num_decoder_layers=1
    )
    return nano.replace(transformer=transformer)


class _Trained:
    """A network with its optimiser."""

    def __init__(self, config: ModelConfig) -> None:
        self.model = UnifiedIO2(config).train()
        self._optimiser = make_optimiser(self.model, OptimiserConfig())
        self._objective = TokenLoss(1e-4)

    def step(self, batch: Batch) -> None:
        """One optimiser step, as the trainer does it."""
        outcome = self._objective(self.model, batch)
        self._optimiser.zero_grad(set_to_none=True)
        outcome.loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), _CLIP, foreach=True)
        self._optimiser.step()


def _padding(forms: Forms, network: ModelConfig) -> list[Row]:
    """Shares of positions without a token."""
    size, pair = forms.capacity, forms.pair_capacity
    at_capacity = f"rows of pairs of {pair.encoder} and {pair.decoder} tokens, as long as they may be"
    in_pairs = [(int(batch[ROWS].max()) + 1) * (pair.encoder + pair.decoder) for batch in (forms.pairs, forms.streamed)]
    shares_of = {
        "padding in packed rows": (padding(forms.packed), "<= 5", f"rows of at most {size.encoder} and {size.decoder} "
                                   f"tokens, of {forms.examples} examples; a CPU does not even compute it"),
        "padding, pairs by best fit": (1 - forms.tokens / in_pairs[0], "", at_capacity),
        "padding, pairs from a pool": (1 - forms.tokens / in_pairs[1], "", f"{at_capacity}; the paper's heuristic"),
        "padding to the longest of the batch": (1 - forms.tokens / positions(forms.longest, network), "", ""),
        "padding to the maximum lengths": (1 - forms.tokens / positions(forms.maximum, network), "",
                                           "the paper's baseline"),
    }  # fmt: skip
    return [Row(name, 100 * share, "%", goal=goal, note=note) for name, (share, goal, note) in shares_of.items()]


def _throughput(trained: _Trained, forms: Forms, config: BenchmarkConfig) -> list[Row]:
    """Tokens that count per second of each form of the same examples."""
    work: dict[str, Callable[[], object]] = {
        "packed": lambda: trained.step(forms.packed),
        "longest": lambda: trained.step(forms.longest),
        "maximum": lambda: trained.step(forms.maximum),
        "pairs": lambda: _in_rows(lambda: trained.step(forms.pairs)),
    }
    times = fastest(work, config.repeats, config.threads)
    rates = {name: forms.tokens / took * 1e3 for name, took in times.items()}
    best, most = rates["packed"], "reference: padding to the maximum lengths"
    return [
        Row("packed", best, "tokens/s", rates["maximum"], best / rates["maximum"], ">= 3.5", most),
        Row("packed, against the longest", best, "tokens/s", rates["longest"], best / rates["longest"], "",
            "reference: padding to the longest of the batch"),
        Row("pairs with masks", rates["pairs"], "tokens/s", rates["maximum"], rates["pairs"] / rates["maximum"], "",
            f"{most}; pairs in rows, attention under a mask"),
    ]  # fmt: skip


def _packing(trained: _Trained, forms: Forms, config: BenchmarkConfig) -> list[Row]:
    """The time of choosing rows and of moving tokens there and back, with gradients, in a step."""
    model, batch = trained.model, forms.packed
    with torch.no_grad():
        inputs = concatenate(list(model.embed_inputs(batch).values()))
        targets = concatenate([one.tokens for one in model.embed_targets(batch).values()], separate=True)

    def move() -> None:
        reads, writes = (
            dataclasses.replace(side, embeddings=side.embeddings.detach().requires_grad_())
            for side in (inputs, targets)
        )
        reading, writing = packings(reads, writes, batch)
        there = reading.pack(reads), writing.pack(writes)
        torch.stack([side.embeddings.sum() for side in there]).sum().backward()

    work: dict[str, Callable[[], object]] = {
        "step": lambda: trained.step(batch),
        "rows": lambda: packed(forms.longest, model.config, forms.capacity),
        "move": move,
    }
    times = fastest(work, config.repeats, config.threads)
    own = times["rows"] + times["move"]
    note = f"of a step; choosing rows {times['rows']:.1f} ms (in the loader), moving tokens {times['move']:.1f} ms"
    return [Row("packing itself", 100 * own / times["step"], "%", goal="<= 2", note=note)]


def _floors(trained: _Trained, forms: Forms, config: BenchmarkConfig) -> list[Row]:
    """Steps against their bare products and attention on one and two threads, and what the rest is."""
    rows = []
    for threads in (1, 2):
        if threads > usable_cores():
            continue
        with _threads(threads):
            for name, batch in (("packed step", forms.packed), ("padded step", forms.longest)):
                plural = "s" if threads > 1 else ""
                rows += _floor(f"{name}, {threads} thread{plural}", partial(trained.step, batch), config, threads)
    return rows


def _floor(name: str, step: Callable[[], None], config: BenchmarkConfig, threads: int) -> list[Row]:
    step()
    recording = Recording()
    with recording:
        step()
    high, wide, deep = _MATRIX
    left, right = torch.randn(high, wide), torch.randn(wide, deep)
    bare = recording.bare()
    source, target = torch.zeros(_COPIED), torch.empty(_COPIED)
    work = {"step": step, "bare": bare, "peak": lambda: left @ right, "copy": lambda: target.copy_(source)}
    times = fastest(work, config.repeats, threads)
    peak = 2.0 * high * wide * deep / times["peak"] / 1e6
    reached = recording.flops / times["step"] / 1e6
    bound = recording.flops / times["bare"] / 1e6 / peak
    account = ", ".join(f"{kind} {share:.0%}" for kind, share in shares(step).items())
    goal = "<= 1.25" if name.startswith("packed") else ""
    rate = 8.0 * _COPIED / times["copy"] / 1e6  # GB/s, read and written
    moving = recording.moved / rate / 1e6  # ms
    return [
        Row(name, times["step"], "ms", times["bare"], times["step"] / times["bare"], goal,
            f"reference: its bare products and attention; of its time: {account}"),
        Row(f"bound, {name}", times["bare"] + moving, "ms", times["bare"], 1 + moving / times["bare"], "",
            f"what stays without fused kernels: {recording.moved / 1e9:.2f} GB that all other calls (norms, rotary, "
            f"sums, activations, loss, optimiser) read and write, at the {rate:.1f} GB/s of a copy"),
        Row(f"MFU, {name}", reached / peak, "", note=f"of a measured peak of {peak:.0f} GFLOP/s in float32; the bare "
            f"products and attention alone reach {bound:.2f}, which no step of these shapes exceeds"),
    ]  # fmt: skip


@contextlib.contextmanager
def _threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _in_rows(work: Callable[[], None]) -> None:
    token = ALWAYS_ROWS.set(True)
    try:
        work()
    finally:
        ALWAYS_ROWS.reset(token)
