"""Loading 1.1 B weights takes hardly more memory than they do; building the network without weights takes none."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

WRITE = """
import sys, torch
from embodio.model import ModelConfig, UnifiedIO2
from embodio.model.weights.pretrained import save_reference
with torch.device("meta"):
    model = UnifiedIO2(ModelConfig.named("large"), tokenizers=True)
model = model.to_empty(device="cpu")
for tensor in model.state_dict().values():
    tensor.zero_()
save_reference(model, sys.argv[1])
"""

MEASURE = """
import json, resource, sys, torch
from embodio.model import ModelConfig, UnifiedIO2
from embodio.model.weights.pretrained import load
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
torch.nn.functional.linear(torch.ones(8, 8), torch.ones(8, 8))
before = peak()
with torch.device("meta"):
    UnifiedIO2(ModelConfig.named("large"), tokenizers=True)
built = peak()
model = load(sys.argv[1])
weights = sum(tensor.numel() * tensor.element_size() for tensor in model.state_dict().values())
print(json.dumps({"built": built - before, "loaded": peak() - before, "weights": weights}))
"""


def run(code: str, folder: Path) -> str:
    return subprocess.run([sys.executable, "-c", code, str(folder)], check=True, capture_output=True, text=True).stdout


@pytest.mark.slow
def test_peak_memory_of_the_large_network(tmp_path: Path) -> None:
    run(WRITE, tmp_path)
    found = json.loads(run(MEASURE, tmp_path))
    assert found["weights"] > 4.3e9
    assert found["built"] < 0.05 * found["weights"]
    assert found["loaded"] < 1.1 * found["weights"], found
    for path in tmp_path.iterdir():
        path.unlink()
