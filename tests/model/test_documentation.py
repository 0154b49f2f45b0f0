"""The snippets of docs/model.md run from top to bottom, with a small network in the place of the large one."""

import re
import subprocess
import wave
from pathlib import Path

import numpy as np
import pytest
from imageio_ffmpeg import get_ffmpeg_exe
from PIL import Image

import embodio.model
from embodio.model import Vocabulary
from tests.support.model.small import VOCABULARY, image, model, sound

PAGE = Path(__file__).parents[2] / "docs" / "model.md"


def test_the_snippets_of_the_page_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    snippets = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(snippets) >= 5
    monkeypatch.chdir(tmp_path)
    Image.fromarray(image(1)).save("photo.jpg")
    with wave.open("sound.wav", "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes((sound(1) * 32_767).astype("<i2").tobytes())
    picture, tone = "testsrc=duration=0.6:size=64x48:rate=10", "sine=frequency=440:duration=0.6"
    command = [get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", tone, "video.mp4"]
    subprocess.run(command, check=True)
    names: dict[str, object] = {}
    monkeypatch.setattr(embodio.model, "load", lambda *_, **__: model(), raising=False)
    monkeypatch.setattr(Vocabulary, "from_file", lambda _: VOCABULARY)
    for snippet in snippets:
        exec(compile(snippet, str(PAGE), "exec"), names)
    written = capsys.readouterr().out
    assert "'text': " in written and (tmp_path / "cup.png").exists()
    assert isinstance(names["mask"], np.ndarray) and names["mask"].shape == image(1).shape[:2]
    model().zero_grad(set_to_none=True)
