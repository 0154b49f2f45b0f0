"""TLS: an agent served with a certificate, clients that trust it, and those that do not."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import numpy as np
import pytest

from embodio.agent.client import RemoteAgent, ServerUnreachable
from embodio.agent.serving.background import serving
from embodio.agent.serving.settings import ServerSettings, ServingError
from tests.support.agent.stub import StubPolicy

SEEN = {"front": np.zeros((128, 128, 3), np.uint8)}


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    request = [openssl, "req", "-x509", "-nodes", "-days", "2", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*request, *names, *files], check=True, capture_output=True)
    return certificate, key


def test_tls_is_for_those_who_trust_the_server(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    settings = ServerSettings(port=0, certificate=certificate, key=key, token="long enough")
    with serving(StubPolicy(), settings) as url:
        assert url.startswith("wss://")
        trusting = ssl.create_default_context(cafile=str(certificate))
        with RemoteAgent(url, token="long enough", tls=trusting) as agent:
            agent.reset("7")
            np.testing.assert_array_equal(agent.act(SEEN), [7, 0])
            np.testing.assert_array_equal(agent.act(SEEN), [7, 1])
        with pytest.raises(ServerUnreachable, match="tls="):
            RemoteAgent(url, token="long enough")
        with pytest.raises(ServerUnreachable):
            RemoteAgent(url.replace("wss:", "ws:"), token="long enough", patience=0.0)


def test_a_certificate_needs_its_own_key(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    certificate, _ = make_certificate(tmp_path / "one")
    _, foreign = make_certificate(tmp_path / "two")
    with pytest.raises(ServingError, match="certificate"):
        ServerSettings(certificate=certificate, key=foreign).tls()
    with pytest.raises(ServingError, match="certificate"):
        ServerSettings(certificate=certificate, key=tmp_path / "missing.pem").tls()
    with pytest.raises(ServingError, match="TLS needs both"):
        ServerSettings(certificate=certificate)
