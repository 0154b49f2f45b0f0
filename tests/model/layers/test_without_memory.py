"""Networks without memory have the names and shapes of others, and are built without torch's compiler."""

import subprocess
import sys

import torch

from embodio.model import UnifiedIO2
from embodio.model.layers.without_memory import without_memory
from tests.support.model.small import CONFIG, model

LOOK = """
import sys
import torch
from embodio.model import ModelConfig, UnifiedIO2
from embodio.model.layers.without_memory import without_memory
with without_memory():
    UnifiedIO2(ModelConfig.named("nano"), tokenizers=True)
sys.exit("torch._dynamo" in sys.modules)
"""


def test_it_is_the_network_but_for_its_numbers() -> None:
    with without_memory():
        empty = UnifiedIO2(CONFIG, tokenizers=True)
    wanted = {name: (tensor.shape, tensor.dtype) for name, tensor in model().state_dict().items()}
    assert {name: (tensor.shape, tensor.dtype) for name, tensor in empty.state_dict().items()} == wanted
    assert all(tensor.is_meta for tensor in empty.state_dict().values())
    filled = torch.nn.Linear(3, 3)
    assert not filled.weight.is_meta and filled.weight.std() > 0


def test_building_it_loads_no_compiler() -> None:
    assert subprocess.run([sys.executable, "-c", LOOK], check=False).returncode == 0
