"""Every public name of the model room exists, and the light ones do not import torch."""

import subprocess
import sys

import pytest

import embodio.model


@pytest.mark.parametrize("name", embodio.model.__all__)
def test_public_name_exists(name: str) -> None:
    assert getattr(embodio.model, name) is not None


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="NoSuchThing"):
        embodio.model.NoSuchThing  # noqa: B018


def test_configuration_does_not_import_torch() -> None:
    code = "import sys; from embodio.model import ModelConfig, Vocabulary; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
