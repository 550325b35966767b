"""Executions of the order lifecycle: start, look, answer. Answering what no longer waits counts as answered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from oms.domain.lifecycle import Answer, execution_name
from oms.runtime.service_errors import as_retryable, error_code

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

_NOBODY_WAITS = frozenset({"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"})


class Executions:
    """The state machine's executions; `arn` is the state machine's."""

    def __init__(self, client: SFNClient, arn: str) -> None:
        self._client = client
        self._arn = arn

    def start(self, order_id: str, generation: int) -> None:
        """Starts the order's n-th execution; one that exists already is left as it is. Raises Retryable."""
        name = execution_name(order_id, generation)
        document = json.dumps({"order_id": order_id, "generation": generation})
        try:
            self._client.start_execution(stateMachineArn=self._arn, name=name, input=document)
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError) and error_code(error) == "ExecutionAlreadyExists":
                return
            raise as_retryable(error, "Step Functions") from error

    def status(self, order_id: str, generation: int) -> str | None:
        """`RUNNING`, `SUCCEEDED`, `FAILED`, `TIMED_OUT`, `ABORTED`, …; None if it was never started."""
        execution = self._arn.replace(":stateMachine:", ":execution:") + f":{execution_name(order_id, generation)}"
        try:
            return str(self._client.describe_execution(executionArn=execution)["status"])
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError) and error_code(error) == "ExecutionDoesNotExist":
                return None
            raise as_retryable(error, "Step Functions") from error

    def answer(self, task_token: str, answer: Answer) -> None:
        """Tells a waiting state how it ends. Raises Retryable when that can't be told now."""
        try:
            if answer.error:
                self._client.send_task_failure(taskToken=task_token, error=answer.error, cause=answer.cause)
            else:
                self._client.send_task_success(taskToken=task_token, output=json.dumps(answer.output))
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError) and error_code(error) in _NOBODY_WAITS:
                return
            raise as_retryable(error, "Step Functions") from error
