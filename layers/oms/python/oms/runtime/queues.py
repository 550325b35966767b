"""Putting messages on SQS queues."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from oms.runtime.service_errors import as_retryable

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class Queue:
    """One queue. Messages are JSON; `group` is who must not crowd out others (fair queues)."""

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    def send(self, message: Mapping[str, Any] | str, group: str) -> None:
        """Puts one message on the queue. Raises Throttled or Unavailable: then it may or may not be there."""
        body = message if isinstance(message, str) else json.dumps(message, separators=(",", ":"))
        try:
            self._client.send_message(QueueUrl=self._url, MessageBody=body, MessageGroupId=group)
        except (ClientError, BotoCoreError) as error:
            raise as_retryable(error, "SQS") from error
