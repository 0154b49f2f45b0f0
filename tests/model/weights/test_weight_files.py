"""Weight files are read exactly, and what is damaged or unsafe is refused with the name of the file."""

import json
import struct
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from embodio.model import WeightsError
from embodio.model.weights.weight_files import (
    SafetensorsFile,
    ShardedWeights,
    open_weights,
    read_torch_file,
    write_tensors,
)

TENSORS = {
    "a": torch.arange(12, dtype=torch.float32).view(3, 4),
    "b": torch.randn(2, 3).to(torch.bfloat16),
    "c": torch.tensor(7, dtype=torch.int64),
    "d": torch.tensor([True, False]),
    "e": torch.empty(0, 5),
    "f": torch.randn(5).half(),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "model.safetensors"
    save_file(TENSORS, file, metadata={"format": "pt"})
    return file


def assert_same(found: dict[str, torch.Tensor]) -> None:
    assert found.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor), name


def test_safetensors_values(path: Path) -> None:
    file = SafetensorsFile(path)
    assert_same(dict(file))
    assert len(file) == len(TENSORS)
    first, second = file["a"], file["a"]
    first.zero_()
    assert torch.equal(second, TENSORS["a"])


def test_damaged_safetensors(path: Path) -> None:
    content = path.read_bytes()
    opened = SafetensorsFile(path)
    path.write_bytes(content[:-3])
    with pytest.raises(WeightsError, match=r"model\.safetensors is damaged"):
        SafetensorsFile(path)
    last = max(opened, key=lambda name: opened._places[name].start)
    with pytest.raises(WeightsError, match="ends inside"):
        opened[last]
    for damaged in (b"", b"1234", content[:40], struct.pack("<Q", 1 << 60) + content[8:], b"\0" * 64):
        path.write_bytes(damaged)
        with pytest.raises(WeightsError, match="damaged"):
            SafetensorsFile(path)


def test_offsets_must_fit_the_shape(path: Path) -> None:
    header = json.dumps({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 8)
    with pytest.raises(WeightsError, match="a does not fit"):
        SafetensorsFile(path)


def shard(folder: Path, homes: dict[str, str]) -> Path:
    for home in set(homes.values()):
        save_file({name: TENSORS[name] for name in TENSORS if homes.get(name) == home}, folder / home)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": homes}))
    return index


def test_shards(tmp_path: Path) -> None:
    homes = {name: f"part-{number % 2}.safetensors" for number, name in enumerate(TENSORS)}
    index = shard(tmp_path, homes)
    assert_same(dict(ShardedWeights(index)))
    assert_same(dict(open_weights(tmp_path)))
    index.write_text(json.dumps({"weight_map": {name: home for name, home in homes.items() if name != "c"}}))
    with pytest.raises(WeightsError, match=r"disagree about \['c'\]"):
        ShardedWeights(index)
    index.write_text(json.dumps({"weight_map": {"a": "../part-0.safetensors"}}))
    with pytest.raises(WeightsError, match="outside of its folder"):
        ShardedWeights(index)
    index.write_text("{}")
    with pytest.raises(WeightsError, match="not an index"):
        ShardedWeights(index)


class Payload:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (Path("executed"),))


def test_torch_files_are_never_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "pytorch_model.bin"
    torch.save(TENSORS, path)
    assert_same(dict(open_weights(tmp_path)))
    torch.save(TENSORS, path, _use_new_zipfile_serialization=False)
    assert_same(read_torch_file(path))
    torch.save({"generator": TENSORS, "step": 3}, path)
    assert_same(read_torch_file(path, "generator"))
    with pytest.raises(WeightsError, match="no entry 'model'"):
        read_torch_file(path, "model")
    with pytest.raises(WeightsError, match="not a state dict"):
        read_torch_file(path)
    torch.save({"a": Payload()}, path)
    with pytest.raises(WeightsError, match="executed to be read"):
        read_torch_file(path)
    assert not (tmp_path / "executed").exists()
    path.write_bytes(b"nothing")
    with pytest.raises(WeightsError, match="damaged"):
        read_torch_file(path)


def test_others_may_read_what_their_umask_allows(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_tensors(tmp_path / "model.safetensors", TENSORS)
    assert (tmp_path / "model.safetensors").stat().st_mode == (tmp_path / "plain").stat().st_mode
