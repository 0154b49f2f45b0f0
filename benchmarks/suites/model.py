"""Speed and memory of the network at size large: float32 and int8, against plain code and the hardware's limits.

Everything of one comparison is measured in turn, in one run. With one thread the processor's time counts, which other
programs on the machine disturb least; with more, the clock on the wall.
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
from embodio.benchmarks.memory import peak_memory
from embodio.benchmarks.reference_like import ReferenceLike, ReferenceLikeDecoder
from embodio.benchmarks.suites import BenchmarkConfig, Row
from embodio.model import ModelConfig, UnifiedIO2, save_weights
from embodio.model.layers import Linear
from embodio.model.quantised import QuantisedUnifiedIO2, quantise

TEXT_TOKENS, SHORT_TARGET, STEPS = 64, 16, 4
PLAIN = "reference: the plain network (published way of computing)"
_LOAD = (
    "import sys; from embodio.benchmarks.memory import peak_memory; from embodio.model import load; "
    "before = peak_memory(); model = load(sys.argv[1]); print(peak_memory() - before)"
)


def run(config: BenchmarkConfig, progress: Progress) -> list[Row]:
    """Measure encoding, decoding, int8 weights and loading; returns the figures."""
    task = progress.add_task("building the network", total=5)
    bench = _Bench(config)
    rows = []
    for what, measure in (
        ("encoding", bench.encoding),
        ("decoding", bench.decoding),
        ("error of int8 weights", bench.errors),
        ("loading", bench.loading),
    ):
        progress.update(task, description=what, advance=1)
        rows += measure()
    progress.update(task, advance=1)
    return [*rows, Row("peak memory of all of this", peak_memory(), "MB", note="float32 and int8 networks at once")]


def random_network(config: ModelConfig) -> UnifiedIO2:
    """A network with cheap random weights of the usual size; norms are 1."""
    with torch.device("meta"):
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
    """The least time in milliseconds that each piece of work took, all of them in turn, `repeats` times over."""
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

    def __init__(self, config: BenchmarkConfig) -> None:
        self.repeats, self.threads = config.repeats, config.threads
        large = ModelConfig.named("large")
        if config.quick:
            size = dataclasses.replace(
                large.transformer, emb_dim=64, num_heads=4, head_dim=16, mlp_dim=96, num_encoder_layers=2,
                num_decoder_layers=2, vocab_size=large.transformer.vocab_size,
            )  # fmt: skip
            large = large.replace(transformer=size, input_modalities=("text", "image"))
            if large.image_tower is not None:
                tower = dataclasses.replace(large.image_tower, emb_dim=32, num_heads=2, head_dim=16, num_layers=2)
                large = large.replace(image_tower=dataclasses.replace(tower, mlp_dim=64))
        self.model = random_network(large)
        self.small: QuantisedUnifiedIO2 = quantise(self.model)
        rows, columns = large.patch_grid("image")
        generator = torch.Generator().manual_seed(1)
        self.batch = {
            "inputs/text/tokens": torch.randint(3, 30000, (1, TEXT_TOKENS), generator=generator),
            "inputs/image/input": torch.randn(1, rows * columns, 768, generator=generator),
        }
        self.plain = ReferenceLike(self.model)

    @torch.no_grad()
    def encoding(self) -> list[Row]:
        """Text and one image, the image tower included."""
        shapes = self._products()
        times = fastest(
            {
                "plain": lambda: self.plain.encode(self.batch),
                "float": lambda: self.model.encode(self.batch),
                "int8": lambda: self.small.encode(self.batch),
                "products": lambda: [functional.linear(x, weight) for x, weight in shapes],
            },
            self.repeats,
            self.threads,
        )
        plain, name = times["plain"], f"encode {TEXT_TOKENS + self.batch['inputs/image/input'].shape[1]} tokens"
        floor = "reference: the bare matrix products, without attention; no float32 code can be below 1"
        return [
            Row(f"{name}, float32", times["float"], "ms", plain, plain / times["float"], ">= 1.8", PLAIN),
            Row(f"{name}, float32, floor", times["float"], "ms", times["products"],
                times["float"] / times["products"], "", floor),
            Row(f"{name}, int8", times["int8"], "ms", plain, plain / times["int8"], ">= 4", PLAIN),
        ]  # fmt: skip

    def _products(self) -> list[tuple[Tensor, Tensor]]:
        """Inputs and weights of the products of encoding; weights of the transformer meet all tokens."""
        found = []
        count = self.batch["inputs/image/input"].shape[1]
        for part, rows in ((self.model.encoder, count + TEXT_TOKENS), (self.model.towers["image"], count + 1)):
            for module in part.modules():
                if isinstance(module, Linear | torch.nn.Linear):
                    found.append((torch.randn(rows, module.weight.shape[1]), module.weight))
        return found

    @torch.no_grad()
    def decoding(self) -> list[Row]:
        """One token of text with text and one image in the context, and the time to read the weights that it needs."""
        encoded, small_encoded = self.model.encode(self.batch), self.small.encode(self.batch)
        plain_encoded, table = self.plain.encode(self.batch)
        rounds = STEPS * self.repeats + 2
        state, small = (
            self.model.start_decoding(encoded, rounds), self.small.start_decoding(small_encoded, rounds)
        )  # fmt: skip
        plain = ReferenceLikeDecoder(self.plain, plain_encoded, table)
        token = torch.zeros(1, 1, dtype=torch.int64)
        skipped = {layer.cross_attention.key_value.weight for layer in self.model.decoder.layer_list()}
        weights = [
            weight for weight in self.model.decoder.parameters() if not any(weight is other for other in skipped)
        ]
        weights.append(torch.nn.Parameter(self.model.table("text"), requires_grad=False))
        times = fastest(
            {
                "plain": lambda: plain.step(token),
                "float": lambda: self.model.decode_step(state, token),
                "int8": lambda: self.small.decode_step(small, token),
                "read": lambda: [weight.sum() for weight in weights],
            },
            rounds - 2,
            self.threads,
        )
        read, base = times["read"], times["plain"]
        size = sum(weight.nbytes for weight in weights) / 1e6
        return [
            Row("decode a token, float32", times["float"], "ms", base, base / times["float"], ">= 6", PLAIN),
            Row("decode a token, float32, floor", times["float"], "ms", read, times["float"] / read, "<= 1.3",
                f"reference: reading the {size:,.0f} MB of weights that a step needs once"),
            Row("decode a token, int8", times["int8"], "ms", base, base / times["int8"], ">= 15", PLAIN),
        ]  # fmt: skip

    @torch.no_grad()
    def errors(self) -> list[Row]:
        """Logits of int8 weights against those of float32 ones, per modality."""
        rows = []
        for modality in self.model.config.target_modalities:
            ids = torch.randint(2, 8000, (1, SHORT_TARGET), generator=torch.Generator().manual_seed(2))
            key = "targets/text/targets" if modality == "text" else f"targets/{modality}/tokens"
            batch = {**self.batch, key: ids}
            exact, found = self.model(batch)[modality].logits, self.small(batch)[modality].logits
            error = float((found - exact).norm() / exact.norm())
            same = float((found.argmax(-1) == exact.argmax(-1)).float().mean())
            note = f"root mean square of the difference / of the logits; same best id at {same:.0%} of positions"
            rows.append(Row(f"error of int8, {modality} logits", 100 * error, "%", note=f"{note}; random weights"))
        return rows

    def loading(self) -> list[Row]:
        """Peak memory of a fresh process that loads the network from a folder, against the size of its weights."""
        size = sum(parameter.nbytes for parameter in self.model.parameters()) / 1e6
        with tempfile.TemporaryDirectory() as folder:
            save_weights(self.model, Path(folder))
            done = subprocess.run([sys.executable, "-c", _LOAD, folder], capture_output=True, text=True, check=False)
        if done.returncode:
            raise BenchmarkError(f"loading the network in another process failed: {done.stderr.strip()[-500:]}")
        used = float(done.stdout)
        return [
            Row("load, memory added", used, "MB", size, used / size, "<= 1.1", "reference: the size of the weights")
        ]
