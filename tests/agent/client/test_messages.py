"""The codec of messages, and that the client is light and runs on old Pythons."""

from __future__ import annotations

import ast
import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from embodio.agent.client.errors import MessageError
from embodio.agent.client.messages import DTYPES, pack, unpack

AGENT = Path(__file__).resolve().parents[3] / "agent"
OLD = [Path(os.environ.get("EMBODIO_OLD_PYTHON", "/nowhere")), *Path.home().glob(".pyenv/versions/3.8*/bin/python")]
shapes = hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4)
arrays = st.sampled_from(sorted(DTYPES)).flatmap(lambda dtype: hnp.arrays(np.dtype(dtype), shapes))


@settings(max_examples=150, deadline=None)
@given(array=arrays, turned=st.booleans())
def test_arrays_come_back(array: np.ndarray, turned: bool) -> None:
    array = array.T if turned else array
    back = unpack(pack({"type": "x", "array": [array]}))["array"][0]
    assert (back.dtype, back.shape, back.tobytes()) == (array.dtype, array.shape, array.tobytes())
    assert back.flags.owndata or back.base is None or back.size == 0
    assert back.flags.writeable


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_a_message_or_an_error(data: bytes) -> None:
    with contextlib.suppress(MessageError):
        unpack(data)


@settings(max_examples=200, deadline=None)
@given(place=st.integers(0, 60), byte=st.integers(0, 255))
def test_damaged_arrays_are_a_message_or_an_error(place: int, byte: int) -> None:
    data = bytearray(pack({"type": "x", "a": np.arange(6, dtype=np.float32).reshape(2, 3)}))
    data[place % len(data)] = byte
    with contextlib.suppress(MessageError):
        unpack(bytes(data))


@pytest.mark.parametrize(
    "value",
    [np.array([None]), np.array(["text"]), np.zeros(2, "m8[s]"), np.zeros(2, [("a", "i4")]), object(), {1, 2}, 2**70],
)
def test_refuses_what_is_no_number(value: Any) -> None:
    with pytest.raises(MessageError):
        pack({"type": "x", "value": value})


def test_refuses_a_bomb() -> None:
    with pytest.raises(MessageError, match="lists and maps"):
        unpack(b"\x82\xa4type\xa1x\xa1a\xdc\x30\x00" + b"\x80" * 0x3000)


def test_import_is_light() -> None:
    code = "import sys, embodio.agent.client; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "gymnasium", "mujoco", "scipy", "cv2", "PIL", "hydra"} & set(done.stdout.split())


def test_parses_as_python_3_8() -> None:
    for path in [AGENT / "__init__.py", AGENT / "errors.py", *(AGENT / "client").glob("*.py")]:
        ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))


def test_a_copy_runs_in_an_old_python(tmp_path: Path) -> None:
    wanted = "import numpy, msgpack, websockets.sync.client"
    usable = [p for p in OLD if p.exists() and not subprocess.run([p, "-c", wanted], capture_output=True).returncode]
    if not usable:
        pytest.skip("no older Python with numpy, msgpack and websockets; name one in EMBODIO_OLD_PYTHON")
    from embodio.agent.serving.background import serving
    from embodio.agent.serving.settings import ServerSettings
    from tests.agent.serving.stub import StubPolicy

    room = tmp_path / "embodio" / "agent"
    shutil.copytree(AGENT / "client", room / "client")
    shutil.copy(AGENT / "errors.py", room)
    code = (
        "import sys, numpy as np; from embodio.agent.client import RemoteAgent; a = RemoteAgent(sys.argv[1]);"
        "a.reset(instruction='6'); print(a.act({'front': np.zeros((4, 4, 3), np.uint8)}).tolist(),"
        "a.embodiment.cameras[0].name, 'torch' in sys.modules); a.close()"
    )
    with serving(StubPolicy(), ServerSettings(port=0)) as url:
        command, where = [usable[0], "-c", code, url], {"PYTHONPATH": str(tmp_path), "PATH": os.environ["PATH"]}
        done = subprocess.run(command, env=where, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["[6.0,", "0.0]", "front", "False"], done.stderr
