"""embodio-convert: there and back gives the same files."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file

from embodio.train.convert import main
from tests.model.golden_network import OWN_FOLDER


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
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
