"""The system on this machine: MiniStack started, the real template deployed, the HTTP API completed.

`LocalStack` has its port and folder as parameters, so that `make run` and the tests each have their own.
"""

from __future__ import annotations

import json
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from tools import http_api_gap, kept_state, processes
from tools.waiting import wait_until

if TYPE_CHECKING:
    import subprocess

PROJECT = Path(__file__).resolve().parent.parent
REGION = "us-east-1"
ADMINISTRATOR = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
START_SECONDS = 60.0
DEPLOY_SECONDS = 300.0
HEALTH_SECONDS = 2.0
TAIL_LINES = 25
USABLE_STATUSES = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"})
PORT_VARIABLE = "OMS_PORT"

Progress = Callable[[str], None]


class StackFailedError(Exception):
    """The local stack could not be started or deployed; the message says what to do next."""


def _silent(_: str) -> None:
    """Progress that nobody watches (tests)."""


@dataclass
class LocalStack:
    """One MiniStack with the template deployed. Leaving its `with` ends what it started.

    port: where MiniStack listens on 127.0.0.1. work_dir: everything it writes (state, logs, recorded calls).
    """

    port: int
    work_dir: Path
    stage: str = "local"
    progress: Progress = _silent
    port_variable: str = PORT_VARIABLE
    environment: Mapping[str, str] = field(default_factory=dict)
    _server: subprocess.Popen[bytes] | None = None
    _deploy: subprocess.Popen[bytes] | None = None

    @property
    def state_dir(self) -> Path:
        """Kept per port: addresses with the port in them (queues, the functions' settings) are part of it."""
        return self.work_dir / f"state-{self.port}"

    @property
    def calls_dir(self) -> Path:
        """Where the handlers record their AWS calls (read by tools.counters)."""
        return self.work_dir / "calls"

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def token_url(self) -> str:
        return f"{self.endpoint_url}/oauth2/token"

    @property
    def stack_name(self) -> str:
        return f"oms-{self.stage}"

    def client(self, service: str) -> Any:
        """A boto3 client of this stack with the administrator's (local, dummy) credentials."""
        return boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=self.endpoint_url,
            region_name=REGION,
            aws_access_key_id=ADMINISTRATOR["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=ADMINISTRATOR["AWS_SECRET_ACCESS_KEY"],
            config=Config(connect_timeout=5, read_timeout=60, retries={"mode": "standard"}, max_pool_connections=32),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Starts MiniStack and waits until it answers. Raises PortBusyError or StackFailedError."""
        processes.require_free_port(self.port, self.port_variable)
        self.calls_dir.mkdir(parents=True, exist_ok=True)
        (self.work_dir / "tmp").mkdir(parents=True, exist_ok=True)
        self.state_dir.mkdir(parents=True, exist_ok=True)
        self.progress(f"starting MiniStack on {self.endpoint_url} (IAM enforced)")
        kept_state.forget_stream_positions(self.state_dir)
        self.server_log.unlink(missing_ok=True)
        command = [sys.executable, "-m", "ministack"]
        self._server = processes.start_logged(command, self._server_environment(), self.server_log, self.work_dir)
        if not wait_until(self._answers_or_died, START_SECONDS) or self._server.poll() is not None:
            raise StackFailedError(f"MiniStack did not start. Its log: {self.server_log}")

    @property
    def server_log(self) -> Path:
        return self.work_dir / "ministack.log"

    @property
    def deploy_log(self) -> Path:
        return self.work_dir / "deploy.log"

    def deploy(self) -> None:
        """Deploys the unmodified template with the SAM CLI, then adds what MiniStack leaves out.

        A stack that an interrupted deploy left half made is thrown away first (local state only).
        Raises StackFailedError with the name of the log.
        """
        if self._is_half_made():
            self.progress("the kept state holds a half-made stack: starting over with empty state")
            self.reset()
        self.progress("deploying template.yaml with the SAM CLI")
        self.deploy_log.unlink(missing_ok=True)
        self._deploy = processes.start_logged(
            self._deploy_command(), self._deploy_environment(), self.deploy_log, PROJECT
        )
        deploy = self._deploy
        finished = wait_until(lambda: deploy.poll() is not None, DEPLOY_SECONDS, self._report_resources)
        processes.end_group(deploy)
        if not finished or deploy.returncode != 0:
            raise StackFailedError(f"The deploy failed. Its log: {self.deploy_log}\n\n{self._causes()}")
        routes = http_api_gap.close(self.client, self.stack_name)
        self.progress(f"HTTP API completed: {routes} routes")

    def reset(self) -> None:
        """Ends MiniStack, removes its state and starts it again."""
        self.stop()
        shutil.rmtree(self.state_dir, ignore_errors=True)
        self.start()

    def stop(self) -> None:
        """Ends the deploy and MiniStack (which saves its state first). Safe to call twice."""
        for name in ("_deploy", "_server"):
            process = getattr(self, name)
            if process is not None:
                processes.end_group(process)
                setattr(self, name, None)

    @property
    def api_id(self) -> str:
        """The id of the deployed HTTP API."""
        return http_api_gap.api_id(self.client, self.stack_name)

    @property
    def base_url(self) -> str:
        """Where the HTTP API answers on this machine."""
        return f"{self.endpoint_url}/_aws/execute-api/{self.api_id}/$default"

    @property
    def process_id(self) -> int:
        """Of MiniStack. Raises StackFailedError when it does not run."""
        if self._server is None:
            raise StackFailedError("MiniStack was not started.")
        return self._server.pid

    @property
    def is_running(self) -> bool:
        """Whether the MiniStack that this object started still lives."""
        return self._server is not None and self._server.poll() is None

    def physical_ids(self, resource_type: str) -> dict[str, str]:
        """Logical id to physical id of the stack's resources of one CloudFormation type."""
        resources = http_api_gap.stack_resources(self.client, self.stack_name)
        return {logical: physical for logical, (kind, physical) in resources.items() if kind == resource_type}

    def _server_environment(self) -> dict[str, str]:
        return processes.child_environment(
            {
                **ADMINISTRATOR,
                "GATEWAY_PORT": str(self.port),
                "BIND_HOST": "127.0.0.1",
                "MINISTACK_HOST": "127.0.0.1",
                "AUTH": "true",
                "PERSIST_STATE": "1",
                "STATE_DIR": str(self.state_dir),
                "S3_PERSIST": "1",
                "S3_DATA_DIR": str(self.state_dir / "s3"),
                "TMPDIR": str(self.work_dir / "tmp"),
                "MINISTACK_REGION": REGION,
                "LOG_LEVEL": "INFO",
                # Listeners of services that are not used here; they would listen on every interface.
                "IOT_MTLS_ENABLED": "0",
                "SFTP_ENABLED": "0",
                **self.environment,
            }
        )

    def _deploy_environment(self) -> dict[str, str]:
        return processes.child_environment(
            {
                **ADMINISTRATOR,
                "AWS_ENDPOINT_URL": self.endpoint_url,
                "AWS_DEFAULT_REGION": REGION,
                "SAM_CLI_TELEMETRY": "0",
                "PYTHONUNBUFFERED": "1",
            }
        )

    def _deploy_command(self) -> list[str]:
        # The template is named because `sam deploy` prefers what `sam build` made, for another processor.
        parameters = f'Stage={self.stage} CallRecorderDirectory="{self.calls_dir}"'
        return [
            *(str(Path(sys.executable).parent / "sam"), "deploy", "--config-env", "local"),
            *("--template-file", str(PROJECT / "template.yaml"), "--stack-name", self.stack_name),
            *("--no-fail-on-empty-changeset", "--no-progressbar"),
            *("--parameter-overrides", parameters),
        ]

    def _answers_or_died(self) -> bool:
        if self._server is not None and self._server.poll() is not None:
            return True
        try:
            health = f"{self.endpoint_url}/_ministack/health"
            with urllib.request.urlopen(health, timeout=HEALTH_SECONDS) as answer:
                return bool(json.load(answer).get("services"))
        except (urllib.error.URLError, ConnectionError, TimeoutError, json.JSONDecodeError):
            return False

    def _is_half_made(self) -> bool:
        stack = self._stack()
        return stack is not None and stack["StackStatus"] not in USABLE_STATUSES

    def _stack(self) -> Any:
        """The stack as CloudFormation knows it, or None."""
        try:
            stacks = self.client("cloudformation").describe_stacks(StackName=self.stack_name)["Stacks"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationError":  # no such stack
                return None
            raise
        return stacks[0] if stacks else None

    def _report_resources(self) -> None:
        if self.deploy_log.exists():
            done = self.deploy_log.read_text(errors="replace").count("_COMPLETE ")
            self.progress(f"deploying template.yaml with the SAM CLI: {done} resources made or changed")

    def _causes(self) -> str:
        """Why resources could not be made; the end of the log when that is not it."""
        if self._stack() is None:
            return "\n".join(self.deploy_log.read_text(errors="replace").splitlines()[-TAIL_LINES:])
        events = self.client("cloudformation").describe_stack_events(StackName=self.stack_name)["StackEvents"]
        failed = [event for event in events if event["ResourceStatus"].endswith("_FAILED")]
        return "\n".join(
            f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}" for event in reversed(failed)
        )
