"""embodio-convert: there and back gives the same files."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from embodio.model.weights.jax_layout import to_jax
from embodio.train.commands.convert import main
from tests.support.model.golden_network import OWN_FOLDER


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in the released layout."""
    folder = tmp_path_factory.mktemp("released")
    shutil.copy(OWN_FOLDER / "tiny_config.json", folder / "config.json")
    shutil.copy(OWN_FOLDER / "tiny_state.safetensors", folder / "model.safetensors")
    return folder


def test_there_and_back_gives_the_same_tensors(
    released: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([f"source={released}", f"out={tmp_path / 'ours'}"]) == 0
    table = capsys.readouterr().out
    assert "encoder" in table and "tokenizers.image" in table and "float32" in table
    assert main([f"source={tmp_path / 'ours'}", "to=reference", f"out={tmp_path / 'back'}"]) == 0
    before, after = load_file(released / "model.safetensors"), load_file(tmp_path / "back" / "model.safetensors")
    assert before.keys() == after.keys()
    assert all((before[name] == after[name]).all() for name in before)


def test_half_precision_keeps_towers_and_tokenizers(released: Path, tmp_path: Path) -> None:
    assert main([f"source={released}", f"out={tmp_path / 'half'}", "dtype=bfloat16"]) == 0
    dtypes = {name: str(tensor.dtype) for name, tensor in load_file(tmp_path / "half" / "model.safetensors").items()}
    kept = {name for name, dtype in dtypes.items() if dtype == "torch.float32"}
    assert kept == {name for name in dtypes if name.startswith(("towers.", "tokenizers."))}
    assert kept < set(dtypes)


def test_dtypes_are_kept_unless_others_are_asked_for(released: Path, tmp_path: Path) -> None:
    assert main([f"source={released}", f"out={tmp_path / 'half'}", "dtype=bfloat16", "to=reference"]) == 0
    assert main([f"source={tmp_path / 'half'}", f"out={tmp_path / 'kept'}"]) == 0
    assert main([f"source={tmp_path / 'half'}", f"out={tmp_path / 'full'}", "dtype=float32"]) == 0
    kept, full = (load_file(tmp_path / name / "model.safetensors") for name in ("kept", "full"))
    assert {str(tensor.dtype) for tensor in kept.values()} == {"torch.float32", "torch.bfloat16"}
    assert {str(tensor.dtype) for tensor in full.values()} == {"torch.float32"}


def test_parameters_of_the_jax_original(released: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As nested dictionaries, with the configuration in a file."""
    state, tree = load_file(released / "model.safetensors"), {}
    for name, array in to_jax(state).items():
        *path, last = name.split(".")
        place = tree
        for part in path:
            place = place.setdefault(part, {})
        place[last] = array
    np.savez(tmp_path / "tiny.npz", **tree)
    size = f"size={released / 'config.json'}"
    assert main([f"source={tmp_path / 'tiny.npz'}", size, "to=reference", f"out={tmp_path / 'out'}"]) == 0
    written = load_file(tmp_path / "out" / "model.safetensors")
    assert written.keys() == state.keys() and all((written[name] == state[name]).all() for name in state)
    assert main([f"source={tmp_path / 'tiny.npz'}", "size=large", f"out={tmp_path / 'large'}"]) == 1
    assert "missing" in capsys.readouterr().err


def test_nothing_is_overwritten_silently(released: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    (out / "notes").mkdir(parents=True)
    (tmp_path / ".out.partial").mkdir()  # as a conversion leaves it that was killed
    (tmp_path / ".out.partial" / "model.safetensors").write_text("half")
    to = [f"source={released}", f"out={out}", "to=reference"]
    assert main([*to, "shard_megabytes=1"]) == 0
    shards = sorted(path.name for path in out.iterdir())
    assert len(shards) > 5 and "model.safetensors.index.json" in shards and not (tmp_path / ".out.partial").exists()
    assert main([f"source={released}", f"out={out}"]) == 2
    assert "config.json already" in capsys.readouterr().err
    assert sorted(path.name for path in out.iterdir()) == shards
    assert main([*to, "overwrite=true"]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["SHA256SUMS", "config.json", "model.safetensors", "notes"]
    assert main([f"source={out}", f"out={out}", "overwrite=true"]) == 2
    assert "give another folder" in capsys.readouterr().err
    (tmp_path / "file").write_text("x")
    assert main([f"source={released}", f"out={tmp_path / 'file'}"]) == 2


def test_a_failed_conversion_leaves_what_was_there(
    released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([f"source={released}", f"out={tmp_path / 'out'}"]) == 0
    before = (tmp_path / "out" / "model.safetensors").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("embodio.model.save_weights", full)
    assert main([f"source={released}", f"out={tmp_path / 'out'}", "overwrite=true"]) == 1
    assert "No space left" in capsys.readouterr().err
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["source=a", "out=b", "shard_megabytes=5"], "to=reference"),
        (["source=a", "out=b", "to=reference", "tokenizers=false"], "tokenizers"),
        (["source=a", "out=b", "dtype=float16"], "keep, float32, bfloat16"),
        (["source=a", "out=b", "to=refrence"], "refrence"),
        (["source=a.npz", "out=b"], "size"),
        (["source=a", "out=b", "dtpye=float32"], "Did you mean 'dtype"),
    ],
)
def test_wrong_settings_end_at_once(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def test_what_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"source={tmp_path / 'nowhere'}", f"out={tmp_path / 'x'}"]) == 1
    assert "nowhere" in capsys.readouterr().err
