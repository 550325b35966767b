"""Vendors' own API descriptions, served by Prism: what it refuses, the vendor would refuse as well.

Prism checks every request against the description (method, path, query, headers, body) and answers with an example of
it. It keeps no state and does not page: for that there is `tests/scripted_server.py`.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tools.waiting import wait_until

ROOT = Path(__file__).parents[1]
PRISM = ROOT / "tests/prism/node_modules/.bin/prism"
PAYLOADS = ROOT.parent / "shared/payloads"
STARTS_WITHIN_SECONDS = 60


def described(name: str) -> Path:
    """A vendor's description: `amazon_sp_api/specs/ordersV0.json`. Skips the test, saying why, where it is absent."""
    path = PAYLOADS / name
    if not path.exists():
        pytest.skip(f"vendor descriptions are not part of the project: there is no {name}")
    return path


@contextmanager
def served(description: Path) -> Iterator[str]:
    """The address of a Prism that serves a description and refuses (422, 400, 401) what breaks it.

    Skips the test, saying why, without node or where `make` did not install Prism.
    """
    if not shutil.which("node") or not PRISM.exists():
        pytest.skip("Prism is not installed: it needs node and npm (make setup installs it where they are)")
    port = _free_port()
    command = [str(PRISM), "mock", "--errors", "--host", "127.0.0.1", "--port", str(port), str(description)]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)  # noqa: S603 - our own command
        try:
            if not wait_until(lambda: _listens(port) or process.poll() is not None, STARTS_WITHIN_SECONDS):
                raise TimeoutError(f"Prism did not start on {description.name}")
            if process.poll() is not None:
                log.seek(0)
                raise RuntimeError(f"Prism ended on {description.name}: {log.read()[-500:]!r}")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=10)


def _free_port() -> int:
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _listens(port: int) -> bool:
    with closing(socket.socket()) as one:
        one.settimeout(0.2)
        return one.connect_ex(("127.0.0.1", port)) == 0
