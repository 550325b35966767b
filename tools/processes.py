"""Starting and ending child processes, each in its own process group so that nothing outlives us."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STOP_SECONDS = 15.0
KILL_SECONDS = 5.0
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")


class PortBusyError(Exception):
    """Something else listens on a port that we need."""

    def __init__(self, port: int, variable: str) -> None:
        self.port = port
        self.variable = variable
        super().__init__(
            f"Port {port} on 127.0.0.1 is in use by another program.\n"
            f"End that program (an earlier `make run`?) or choose another port: {variable}=<port> make run"
        )


def require_free_port(port: int, variable: str) -> None:
    """Raises PortBusyError, naming the environment variable that chooses another port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # A port whose last connections are in TIME_WAIT is free for a server, which sets this option too.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            raise PortBusyError(port, variable) from error


def child_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """A small environment: what a child needs and nothing of the person's own AWS set-up."""
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    interpreter_folder = str(Path(sys.executable).parent)
    environment["PATH"] = os.pathsep.join([interpreter_folder, environment.get("PATH", os.defpath)])
    environment["AWS_CONFIG_FILE"] = os.devnull
    environment["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    environment["NO_PROXY"] = environment["no_proxy"] = "127.0.0.1,localhost"
    environment.update(extra)
    return environment


def start_logged(
    command: Sequence[str], environment: Mapping[str, str], log: Path, folder: Path
) -> subprocess.Popen[bytes]:
    """Starts a child in a new process group with its output appended to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            list(command),
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Ends a child and everything it started: asked first, killed after STOP_SECONDS."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(KILL_SECONDS)
    # The child is gone; whatever it left behind carries its process group.
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
