"""Speed and memory of the network at size large: float32 and int8, against plain code and the hardware's limits.

What is compared is measured in turn, in one run. With one thread processor time counts, which other programs disturb
least; with more, wall-clock time.
"""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from rich.progress import Progress
from torch import Tensor
from torch.nn import functional

from embodio.benchmarks.errors import BenchmarkError
from embodio.benchmarks.speed.int8_error import golden_errors, logit_errors
from embodio.benchmarks.speed.reference_like import ReferenceLike, ReferenceLikeDecoder
from embodio.benchmarks.speed.suites import BenchmarkConfig, Row
from embodio.model import ModelConfig, UnifiedIO2, load, prepare, quantise, save_weights
from embodio.model.layers.layers import Linear, linear
from embodio.model.layers.without_memory import without_memory
from embodio.model.process_memory import peak_memory

TEXT_TOKENS, STEPS, LATE = 64, 4, 1000
PLAIN = "reference: the plain network (published way of computing)"
_LOAD = (
    "import sys; from embodio.model.process_memory import peak_memory; from embodio.model import load, prepare; "
    "before = peak_memory(); model = load(sys.argv[1]); loaded = peak_memory(); prepare(model); "
    "print(loaded - before, peak_memory() - before)"
)


def run(config: BenchmarkConfig, progress: Progress) -> list[Row]:
    """Measures encoding, decoding, int8 weights and loading; returns the figures."""
    task = progress.add_task("building the network", total=6)
    with tempfile.TemporaryDirectory() as folder:
        bench = _Bench(config, Path(folder))
        rows = []
        for what, measure in (
            ("encoding", bench.encoding),
            ("decoding text", bench.decoding),
            ("decoding image codes", bench.image_codes),
            ("error of int8 weights", bench.errors),
            ("loading", bench.loading),
        ):
            progress.update(task, description=what, advance=1)
            rows += measure()
    progress.update(task, advance=1)
    note = "the plain network, ours and int8 at once"
    return [*rows, Row("peak memory of all of this", peak_memory(), "MB", note=note)]


def random_network(config: ModelConfig) -> UnifiedIO2:
    """A network with cheap random weights of the usual size; norms are 1."""
    with without_memory():
        model = UnifiedIO2(config)
    model = model.to_empty(device="cpu").eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(0)
    for name, parameter in model.named_parameters():
        if name.endswith(("norm", "scale")):
            parameter.fill_(1.0)
        else:
            bound = 1.7 * parameter.shape[-1] ** -0.5 if parameter.dim() > 1 else 0.02
            parameter.uniform_(-bound, bound, generator=generator)
    return model


def fastest(work: Mapping[str, Callable[[], object]], repeats: int, threads: int) -> dict[str, float]:
    """The fastest time in milliseconds of each piece of work, all of them in turn, `repeats` times."""
    clock = time.process_time if threads == 1 else time.perf_counter
    best = dict.fromkeys(work, float("inf"))
    for _ in range(repeats):
        for name, piece in work.items():
            start = clock()
            piece()
            best[name] = min(best[name], (clock() - start) * 1e3)
    return best


class _Bench:
    """The networks and the batch that all measurements share."""

    def __init__(self, config: BenchmarkConfig, folder: Path) -> None:
        self.repeats, self.threads, self.folder = config.repeats, config.threads, folder
        size = quick_size() if config.quick else ModelConfig.named("large")
        self.plain = ReferenceLike(random_network(size))
        save_weights(self.plain.model, folder)
        self.model = prepare(load(folder))
        self.small = quantise(self.model)
        rows, columns = size.patch_grids["image"]
        generator = torch.Generator().manual_seed(1)
        self.batch = {
            "inputs/text/tokens": torch.randint(3, 30000, (1, TEXT_TOKENS), generator=generator),
            "inputs/image/input": torch.randn(1, rows * columns, 768, generator=generator),
        }

    @torch.no_grad()
    def encoding(self) -> list[Row]:
        """Times of encoding text and one image, including the image tower."""
        ours, plain_ones = self._products(self.model), self._products(self.plain.model)
        times = fastest(
            {
                "plain": lambda: self.plain.encode(self.batch),
                "float": lambda: self.model.encode(self.batch),
                "int8": lambda: self.small.encode(self.batch),
                "products": lambda: [linear(x, weight) for x, weight in ours],
                "plain products": lambda: [functional.linear(x, weight) for x, weight in plain_ones],
            },
            self.repeats,
            self.threads,
        )
        plain, name = times["plain"], f"encode {TEXT_TOKENS + self.batch['inputs/image/input'].shape[1]} tokens"
        floor = min(times["products"], times["plain products"])
        return [
            Row(f"{name}, float32", times["float"], "ms", plain, plain / times["float"], ">= 1.8", PLAIN),
            Row(f"{name}, float32, floor", times["float"], "ms", floor, times["float"] / floor, "",
                "reference: the bare matrix products without attention; no float32 code can be below 1"),
            Row(f"{name}, most that float32 allows", floor, "ms", plain, plain / floor, "",
                f"{PLAIN}, against those bare products"),
            Row(f"{name}, bare products", times["products"], "ms", times["plain products"],
                times["plain products"] / times["products"], "", "reference: those of the plain network"),
            Row(f"{name}, int8", times["int8"], "ms", plain, plain / times["int8"], ">= 4", PLAIN),
        ]  # fmt: skip

    def _products(self, model: UnifiedIO2) -> list[tuple[Tensor, Tensor]]:
        """Inputs and weights of the products of encoding; weights of the transformer meet all tokens."""
        found = []
        count = self.batch["inputs/image/input"].shape[1]
        for part, rows in ((model.encoder, count + TEXT_TOKENS), (model.towers["image"], count + 1)):
            for module in part.modules():
                if isinstance(module, Linear | torch.nn.Linear):
                    found.append((torch.randn(rows, module.weight.shape[1]), module.weight))
        return found

    @torch.no_grad()
    def decoding(self) -> list[Row]:
        """Times of decoding one token with text and one image in the context, and of reading the weights it needs."""
        rounds = STEPS * self.repeats
        state = self.model.start_decoding(self.model.encode(self.batch), rounds)
        small = self.small.start_decoding(self.small.encode(self.batch), rounds)
        plain = ReferenceLikeDecoder(self.plain, *self.plain.encode(self.batch))
        token = torch.zeros(1, 1, dtype=torch.int64)
        weights = self._step_weights()
        matrices = [weight for weight in weights if weight.dim() == 2 and len(weight) > 2]
        inputs = {weight.shape[1]: torch.randn(1, weight.shape[1]) for weight in matrices}
        times = fastest(
            {
                "plain": lambda: plain.step(token),
                "float": lambda: self.model.decode_step(state, token),
                "int8": lambda: self.small.decode_step(small, token),
                "read": lambda: [weight.sum() for weight in weights],
                "products": lambda: [linear(inputs[weight.shape[1]], weight) for weight in matrices],
            },
            rounds,
            self.threads,
        )
        read, base = times["read"], times["plain"]
        size = sum(weight.nbytes for weight in weights) / 1e6
        note = f"reference: reading the {size:,.0f} MB of weights that a step needs once"
        return [
            Row("decode a token, float32", times["float"], "ms", base, base / times["float"], ">= 6", PLAIN),
            Row("decode a token, float32, floor", times["float"], "ms", read, times["float"] / read, "<= 1.3", note),
            Row("decode a token, bare products", times["products"], "ms", read, times["products"] / read, "", note),
            Row("decode a token, int8", times["int8"], "ms", base, base / times["int8"], ">= 15", PLAIN),
        ]

    def _step_weights(self) -> list[Tensor]:
        """The weights that decoding a text token reads, so not those of the encoder's keys and values."""
        skipped = {id(layer.cross_attention.key_value.weight) for layer in self.model.decoder.layer_list()}
        weights: list[Tensor] = [weight for weight in self.model.decoder.parameters() if id(weight) not in skipped]
        return [*weights, self.model.table("text")]

    @torch.no_grad()
    def image_codes(self) -> list[Row]:
        """Times of an early and a late image code: the cost of a step must not grow with masks that are never used."""
        late = LATE - self.repeats
        encoded = self.model.encode(self.batch)
        first, last = (self.model.start_decoding(encoded, modality="image") for _ in range(2))
        for layer in last.layers:
            layer.cache.normal_()
        last.length = late
        plain = ReferenceLikeDecoder(self.plain, *self.plain.encode(self.batch), "image")
        token = torch.zeros(1, 1, dtype=torch.int64)
        times = fastest(
            {
                "plain": lambda: plain.step(token),
                "first": lambda: self.model.decode_step(first, token),
                "late": lambda: self.model.decode_step(last, token),
            },
            self.repeats,
            self.threads,
        )
        own = sum(layer.cache[..., :late, :].nbytes for layer in last.layers) / 1e6
        note = f"reference: one of the first; it also reads keys and values of earlier ones, {own:,.0f} MB"
        return [
            Row("decode an image code", times["first"], "ms", times["plain"], times["plain"] / times["first"], "",
                PLAIN),
            Row(f"decode image code {LATE:,}", times["late"], "ms", times["first"], times["late"] / times["first"], "",
                note),
        ]  # fmt: skip

    def errors(self) -> list[Row]:
        """Errors of the logits of int8 weights against float32 ones, per modality: here, and on the golden network."""
        note = "root mean square of the difference / of the logits; same best id at"
        found = {"random weights": logit_errors(self.model, self.small, self.batch), "golden network": golden_errors()}
        return [
            Row(f"error of int8, {modality} logits, {which}", 100 * error, "%", note=f"{note} {same:.0%} of positions")
            for which, errors in found.items()
            for modality, (error, same) in errors.items()
        ]

    def loading(self) -> list[Row]:
        """Peak memory of a fresh process that loads the network from a folder, relative to the size of its weights."""
        size = sum(parameter.nbytes for parameter in self.model.parameters()) / 1e6
        command = [sys.executable, "-c", _LOAD, str(self.folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BenchmarkError(f"loading the network in another process failed: {done.stderr.strip()[-500:]}")
        loaded, prepared = (float(part) for part in done.stdout.split())
        note = "reference: the size of the weights"
        return [
            Row("build, load: memory added", loaded, "MB", size, loaded / size, "<= 1.1", note),
            Row("build, load, prepare: memory added", prepared, "MB", size, prepared / size, "<= 1.1", note),
        ]


def quick_size() -> ModelConfig:
    """A toy with the vocabulary and the grids of size large."""
    large = ModelConfig.named("large")
    transformer = dataclasses.replace(
        large.transformer, emb_dim=64, num_heads=4, head_dim=16, mlp_dim=96, num_encoder_layers=2, num_decoder_layers=2
    )
    large = large.replace(transformer=transformer, input_modalities=("text", "image"))
    if large.image_tower is None:
        return large
    tower = dataclasses.replace(large.image_tower, emb_dim=32, num_heads=2, head_dim=16, num_layers=2, mlp_dim=64)
    return large.replace(image_tower=tower)
