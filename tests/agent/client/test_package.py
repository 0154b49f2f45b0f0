"""The robot's side alone: what its package holds, that it imports nothing heavy, and that it runs on Python 3.8."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from embodio.agent.serving.background import serving
from embodio.agent.serving.settings import ServerSettings
from tests.support.agent.stub import StubPolicy

REPO = Path(__file__).resolve().parents[3]
FILES = [REPO / "agent" / f"{name}.py" for name in ("__init__", "answers", "errors")]
FILES += sorted((REPO / "agent" / "client").glob("*.py"))
OLD = [Path(os.environ.get("EMBODIO_OLD_PYTHON", "/nowhere")), *Path.home().glob(".pyenv/versions/3.8*/bin/python")]
ALONE = """
import sys
allowed = {"embodio", "embodio.agent", "embodio.agent.errors", "embodio.agent.answers", "embodio.agent.client"}
class Guard:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        ours = top == "embodio" and name not in allowed and not name.startswith("embodio.agent.client.")
        if ours or top in ("torch", "gymnasium", "mujoco", "scipy", "cv2", "PIL", "hydra", "rich", "safetensors"):
            raise ImportError(f"{name} is heavy")
sys.meta_path.insert(0, Guard())
from embodio.agent.client import RemoteAgent
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which the package of the client is installed."""
    folder = tmp_path_factory.mktemp("client")
    for name in ("scripts/client/pyproject.toml", *(str(path.relative_to(REPO)) for path in FILES), "agent/agent.py"):
        (folder / "repo" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPO / name, folder / "repo" / name)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    subprocess.run([*command, "./scripts/client"], cwd=folder / "repo", check=True, capture_output=True)
    with zipfile.ZipFile(next(folder.glob("embodio_client-*.whl"))) as archive:
        archive.extractall(folder / "installed")
    return folder / "installed"


def test_the_package_holds_the_client_and_nothing_else(package: Path) -> None:
    installed = {str(path.relative_to(package / "embodio")) for path in package.rglob("*.py")}
    assert installed == {str(path.relative_to(REPO)) for path in FILES}
    metadata = next(package.glob("*.dist-info/METADATA")).read_text()
    assert "Requires-Python: >=3.8" in metadata
    needed = {line.split()[1].split(">")[0] for line in metadata.splitlines() if line.startswith("Requires-Dist")}
    assert needed == {"msgpack", "numpy", "websockets"}


def run(python: Path | str, package: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    where = {"PYTHONPATH": str(package), "PATH": os.environ["PATH"]}
    return subprocess.run([python, "-c", code, *arguments], env=where, capture_output=True, text=True, check=False)


def test_import_brings_in_nothing_heavy(package: Path) -> None:
    done = run(sys.executable, package, ALONE + "print(RemoteAgent.__module__)")
    assert done.stdout.strip() == "embodio.agent.client.remote", done.stderr
    caught = run(sys.executable, package, ALONE + "import embodio.agent.agent")
    assert "heavy" in caught.stderr


def newer_than_3_8(text: str) -> Iterator[str]:
    """What Python 3.8 does not parse, or would stumble over when it runs; annotations are never evaluated."""
    tree = ast.parse(text, feature_version=(3, 8))
    kept = [node for node in ast.walk(tree) if isinstance(node, ast.AnnAssign | ast.arg | ast.FunctionDef)]
    notes = [note for node in kept for note in (getattr(node, "annotation", None), getattr(node, "returns", None))]
    skipped = {id(node) for note in notes if note is not None for node in ast.walk(note)}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            if node.value.id in ("dict", "list", "tuple", "set", "type", "Mapping", "Sequence"):
                yield f"line {node.lineno}: {ast.unparse(node)}"
        elif isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.BitOr):
            yield f"line {node.lineno}: {ast.unparse(node)}"
        elif isinstance(node, ast.Attribute) and node.attr in ("removeprefix", "removesuffix", "pairwise"):
            yield f"line {node.lineno}: {node.attr}"
        elif isinstance(node, ast.keyword) and node.arg in ("strict", "kw_only", "slots"):
            yield f"line {node.value.lineno}: {node.arg}="


def test_nothing_is_newer_than_python_3_8() -> None:
    assert [f"{path.name}: {fault}" for path in FILES for fault in newer_than_3_8(path.read_text())] == []
    for bad in (
        "x = list[int]",
        "isinstance(x, int | str)",
        "x |= y",
        "'a'.removeprefix('b')",
        "zip(a, b, strict=True)",
    ):
        assert list(newer_than_3_8(bad))
    with pytest.raises(SyntaxError):
        list(newer_than_3_8("match x:\n    case 1: pass"))
    assert not list(
        newer_than_3_8("from __future__ import annotations\ndef f(x: list[int] | None = None) -> dict[str, int]: ...")
    )


def test_it_acts_on_an_old_python(package: Path) -> None:
    wanted = "import numpy, msgpack, websockets.sync.client"
    usable = [p for p in OLD if p.exists() and not subprocess.run([p, "-c", wanted], capture_output=True).returncode]
    if not usable:
        pytest.skip("no Python 3.8 with numpy, msgpack and websockets; name one in EMBODIO_OLD_PYTHON")
    code = ALONE + (
        "import numpy as np\n"
        "with RemoteAgent(sys.argv[1]) as a:\n"
        "    a.reset(instruction='6')\n"
        "    print(a.act({'front': np.zeros((4, 4, 3), np.uint8)}).tolist(), a.embodiment.cameras[0].name)\n"
        "    try:\n"
        "        a.check_embodiment(dict(a.embodiment.to_dict(), control_hz=3.0))\n"
        "    except Exception as error:\n"
        "        print(type(error).__name__)\n"
    )
    with serving(StubPolicy(), ServerSettings(port=0)) as url:
        done = run(usable[0], package, code, url)
    assert done.stdout.split() == ["[6.0,", "0.0]", "front", "EmbodimentRefused"], done.stderr
