"""Checksums: what is read is what was saved, and a configuration is compared with the weights before building."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from embodio.model import ModelConfig, UnifiedIO2, WeightsError, load, load_weights, save_weights
from embodio.model.errors import ModelError
from embodio.model.weights.checksums import SUMS_FILE, ChecksumError, check_sums, read_sums, write_sums

Reader = Callable[[Path], UnifiedIO2]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("saved")
    save_weights(UnifiedIO2(ModelConfig.named("nano", vocab_size=256)), folder)
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    return shutil.copytree(saved, tmp_path / "copy")


def test_sha256sum_reads_what_we_write_and_we_read_what_it_writes(folder: Path) -> None:
    assert subprocess.run(["sha256sum", "-c", "--quiet", SUMS_FILE], cwd=folder, check=False).returncode == 0
    ours = read_sums(folder)
    subprocess.run(f"rm {SUMS_FILE} && sha256sum -b * > {SUMS_FILE}", cwd=folder, shell=True, check=True)
    assert read_sums(folder) == ours and load_weights(folder)


@settings(max_examples=30, deadline=None)
@given(
    st.dictionaries(
        st.text(
            st.characters(codec="utf-8", exclude_characters="/\\\0", exclude_categories=("C", "Z")), min_size=1
        ).filter(lambda name: name[0] != "." and len(name.encode()) < 200 and name != SUMS_FILE),
        st.binary(max_size=40),
        max_size=4,
    )
)
def test_any_files_come_back(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]) -> None:
    folder = tmp_path_factory.mktemp("any")
    for name, content in files.items():
        (folder / name).write_bytes(content)
    write_sums(folder)
    assert set(read_sums(folder) or {}) == set(files)
    assert set(check_sums(folder, files) or {}) == set(files)
    for name, content in files.items():
        (folder / name).write_bytes(content + b"x")
        with pytest.raises(ChecksumError):
            check_sums(folder, [name])


@pytest.mark.parametrize("read", [load_weights, load])
@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
@pytest.mark.parametrize("where", [0, 9, 1000, -1])
def test_one_flipped_bit_anywhere_is_found(folder: Path, read: Reader, name: str, where: int) -> None:
    data = bytearray((folder / name).read_bytes())
    data[where] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(ModelError, match=name.replace(".", r"\.")):
        read(folder)


@pytest.mark.parametrize("text", ["", "nonsense\n", "0" * 64 + "  model.safetensors\n", "\xff"])
def test_damaged_checksums_are_not_passed_over(folder: Path, text: str) -> None:
    (folder / SUMS_FILE).write_bytes(text.encode("latin-1"))
    with pytest.raises(ChecksumError, match=r"sha256sum \* > SHA256SUMS"):
        load_weights(folder)


def test_saving_into_a_folder_renews_the_two_and_keeps_the_others(folder: Path) -> None:
    (folder / "vocabulary.model").write_bytes(b"words")
    write_sums(folder)
    torch.manual_seed(1)
    save_weights(UnifiedIO2(ModelConfig.named("nano", vocab_size=128)), folder)
    assert load_weights(folder).config.transformer.vocab_size == 128
    assert check_sums(folder, ["vocabulary.model"])


def changed(folder: Path, path: str, value: Any) -> None:
    """Changes one field of a configuration that has no checksum."""
    (folder / SUMS_FILE).unlink(missing_ok=True)
    config = json.loads((folder / "config.json").read_text())
    place = config
    *parents, last = path.split(".")
    for name in parents:
        place = place[name]
    place[last] = value
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize("read", [load_weights, load])
@pytest.mark.parametrize("value", [10**3, 10**6, 10**9, 10**18, 10**300])
@pytest.mark.parametrize(
    "field",
    [
        "transformer.num_encoder_layers",
        "transformer.num_decoder_layers",
        "transformer.vocab_size",
        "transformer.mlp_dim",
        "image_tower.num_layers",
        "image_tower.mlp_dim",
        "image_history.num_layers",
        "image_history.num_latents",
    ],
)
def test_a_configuration_of_a_giant_fails_at_once(folder: Path, read: Reader, field: str, value: int) -> None:
    changed(folder, field, value)
    start = time.process_time()
    with pytest.raises(WeightsError):
        read(folder)
    assert time.process_time() - start < 5, "a billion layers took minutes"


@pytest.mark.parametrize("field", ["image_size", "lengths.encoder_text", "sampling.num_frames", "image_history_size"])
def test_sizes_that_no_tensor_has_are_bounded(folder: Path, field: str) -> None:
    changed(folder, field, [16 * 10**9] * 2 if field.endswith("size") else 10**9)
    with pytest.raises(WeightsError, match=rf"config\.json: {field} is 1"):
        load_weights(folder)


@pytest.mark.parametrize(
    ("header", "match"),
    [
        (b"[]", "damaged"),
        (b'{"a":{"dtype":"F32","shape":[-1,-1],"data_offsets":[0,4]}}', "damaged"),
        (b'{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}', "damaged"),
        (b'{"a":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}}', "damaged"),
        (b'{"a":[]}', "damaged"),
        (b"[" * 100_000, "damaged"),
    ],
)
def test_odd_headers_are_damage(folder: Path, header: bytes, match: str) -> None:
    (folder / SUMS_FILE).unlink()
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    for read in (load_weights, load):
        with pytest.raises(WeightsError, match=match):
            read(folder)


def test_shapes_are_compared_before_tensors_are_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed(folder, "transformer.mlp_dim", 8)
    monkeypatch.setattr("embodio.model.weights.weights.read_safetensors", lambda path: pytest.fail("tensors were read"))
    with pytest.raises(WeightsError, match=r"gate_up\.weight has shape"):
        load_weights(folder)
