"""`embodio-convert`: weights from the released layout, or the JAX original's, into ours and back."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from embodio.datasets.files.folder_lock import sole_user
from embodio.model.errors import ModelError
from embodio.model.writing import sync, sync_tree, write_errors
from embodio.train.command_line.cli import run as run_command
from embodio.train.command_line.ranges import COUNT, require_ranges
from embodio.train.command_line.schema import UsageError

if TYPE_CHECKING:
    import torch
    from rich.table import Table

    from embodio.model import UnifiedIO2

LAYOUTS = ("embodio", "reference")
DTYPES = ("keep", "float32", "bfloat16")


@dataclass(frozen=True)
class ConvertConfig:
    """Settings of `embodio-convert`.

    Attributes:
        source: folder in our layout or the released one, a name on the hub, or an npz file of the JAX original.
        out: folder to write; it appears when the conversion is complete.
        to: layout to write, "embodio" or "reference".
        size: named size of the network, or its config.json; only an npz file needs it.
        tokenizers: include the image and audio tokenisers; the released layout always does.
        dtype: of encoder, decoder, embeddings and resamplers, float32 or bfloat16, with towers and tokenisers in
            float32; "keep" changes nothing.
        shard_megabytes: spread the released layout over files of at most this size; 0 writes one file.
        overwrite: replace weights that are in `out` already.
    """

    source: str
    out: Path
    to: str = "embodio"
    size: str = ""
    tokenizers: bool = True
    dtype: str = "keep"
    shard_megabytes: int = 0
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.to not in LAYOUTS:
            raise UsageError(f"to: got {self.to!r}, expected one of {', '.join(LAYOUTS)}")
        if self.dtype not in DTYPES:
            raise UsageError(f"dtype: got {self.dtype!r}, expected one of {', '.join(DTYPES)}")
        if self.source.endswith(".npz") != bool(self.size):
            raise UsageError("size: give it with an npz file (which does not say what it holds), and only then")
        require_ranges(self, shard_megabytes=COUNT)
        if self.shard_megabytes and self.to != "reference":
            raise UsageError("shard_megabytes: our own layout is one file; give to=reference with it")
        if self.to == "reference" and not self.tokenizers:
            raise UsageError("tokenizers: the released layout includes them; leave the setting out")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `embodio-convert`; returns the exit code."""
    return run_command(
        ConvertConfig,
        convert,
        argv,
        prog="embodio-convert",
        description="Convert weights between the released layout, the JAX original's and ours, checking each.",
        examples=(
            "embodio-convert source=downloads/uio2-large out=weights/large",
            "embodio-convert source=weights/large to=reference out=weights/large-reference",
            "embodio-convert source=large.npz size=large out=weights/large",
        ),
        user_errors=(ModelError, OSError),
    )


def convert(config: ConvertConfig) -> int:
    """Reads, checks and writes weights; prints a table of them; returns the exit code.

    Raises:
        UsageError: `out` holds weights already, or is what is being read.
        ModelError: another process converts to `out`, or files are missing, damaged or do not fit the network.
        OSError: the folder cannot be written.
    """
    _require_free(config)
    with sole_user(config.out, "converting into", ModelError):
        return _convert(config)


def _convert(config: ConvertConfig) -> int:
    import torch
    from rich.console import Console

    from embodio.model import DtypePolicy, ModelConfig, load, load_jax, save_reference, save_weights
    from embodio.model.weights.pretrained import read_model_config

    _require_free(config)
    dtypes = None if config.dtype == "keep" else DtypePolicy(main=getattr(torch, config.dtype))
    if config.size:
        network = read_model_config(config.size) if config.size.endswith(".json") else ModelConfig.named(config.size)
        model = load_jax(config.source, network, tokenizers=config.tokenizers, dtypes=dtypes)
    else:
        model = load(config.source, tokenizers=config.tokenizers, dtypes=dtypes)
    partial = config.out.with_name(f".{config.out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # of a conversion that was killed
    try:
        if config.to == "reference":
            save_reference(model, partial, config.shard_megabytes * 1_000_000 or None)
        else:
            save_weights(model, partial)
        _move(partial, config.out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    Console().print(summary(model, f"{config.source} -> {config.out} ({config.to} layout)"))
    return 0


def _require_free(config: ConvertConfig) -> None:
    """Checks that nothing is lost by writing to `out`."""
    from embodio.model.weights.pretrained import written_weights

    if Path(config.source).is_dir() and config.out.resolve() == Path(config.source).resolve():
        raise UsageError(f"out: {config.out} is what is converted; give another folder")
    if config.out.exists() and not config.out.is_dir():
        raise UsageError(f"out: {config.out} is a file; give a folder")
    if (found := written_weights(config.out)) and not config.overwrite:
        raise UsageError(f"out: {config.out} holds {found[0].name} already; give another folder, or overwrite=true")


def _move(partial: Path, out: Path) -> None:
    """Moves complete files into place, the configuration last: without it a folder is not read."""
    from embodio.model.weights.pretrained import written_weights

    out.mkdir(parents=True, exist_ok=True)
    for old in written_weights(out):
        old.unlink()
    with write_errors(out):
        sync_tree(partial)
        for new in sorted(partial.iterdir(), key=lambda path: path.name == "config.json"):
            new.replace(out / new.name)
        sync(out)
    partial.rmdir()


def summary(model: UnifiedIO2, title: str) -> Table:
    """A table with the tensors, numbers, dtype and megabytes of each part of a network."""
    from rich.table import Table

    table = Table(title=title)
    for column in ("part", "tensors", "parameters", "dtype", "MB"):
        table.add_column(column, justify="left" if column in ("part", "dtype") else "right")
    parts: dict[str, list[torch.Tensor]] = {}
    for name, tensor in model.state_dict().items():
        depth = 2 if name.split(".")[0] in ("inputs", "targets", "towers", "tokenizers") else 1
        parts.setdefault(".".join(name.split(".")[:depth]), []).append(tensor)
    for part, tensors in parts.items():
        table.add_row(part, *_figures(tensors))
    table.add_section()
    table.add_row("all", *_figures([tensor for tensors in parts.values() for tensor in tensors]))
    return table


def _figures(tensors: Sequence[torch.Tensor]) -> tuple[str, str, str, str]:
    dtypes = sorted({str(tensor.dtype).removeprefix("torch.") for tensor in tensors})
    megabytes = sum(tensor.nbytes for tensor in tensors) / 1e6
    return str(len(tensors)), f"{sum(t.numel() for t in tensors):,}", ", ".join(dtypes), f"{megabytes:,.1f}"
