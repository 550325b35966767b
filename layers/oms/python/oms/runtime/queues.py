"""Putting messages on SQS queues, and putting off the ones that came too early."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from oms.domain.errors import Unavailable
from oms.runtime.service_errors import as_retryable

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

Message = Mapping[str, Any] | str

MAX_BATCH = 10
MAX_BATCH_BYTES = 262_144
"""What SQS takes in one call, all messages together."""

MAX_TRIES = 3
"""How often the messages of a batch that SQS did not take are sent."""

MAX_DELAY_SECONDS = 42_000
"""SQS keeps a message from its receivers for twelve hours at most, counted from when it was received, and refuses to
keep it longer; by the time a worker asks for it, some minutes may have gone."""


class Queue:
    """One queue. Messages are JSON; `group` is who must not crowd out others (fair queues)."""

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    def send(self, message: Message, group: str) -> None:
        """Puts one message on the queue. Raises Throttled or Unavailable: then it may or may not be there."""
        try:
            self._client.send_message(QueueUrl=self._url, MessageBody=_text(message), MessageGroupId=group)
        except (ClientError, BotoCoreError) as error:
            raise as_retryable(error, "SQS") from error

    def send_many(self, messages: Sequence[Message], group: str) -> None:
        """Puts all messages on the queue, in as few calls as hold them.

        Raises Throttled or Unavailable when not all of them are known to be there: some may be.
        """
        for batch in _batches([_text(message) for message in messages]):
            self._send_batch(batch, group)

    def put_off(self, receipt_handle: str, seconds: float) -> None:
        """Has a message that was received come again after so long, at most MAX_DELAY_SECONDS. Raises Retryable."""
        delay = min(MAX_DELAY_SECONDS, max(0, round(seconds)))
        try:
            self._client.change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=receipt_handle, VisibilityTimeout=delay
            )
        except (ClientError, BotoCoreError) as error:
            raise as_retryable(error, "SQS") from error

    def _send_batch(self, bodies: list[str], group: str) -> None:
        left: list[Any] = [
            {"Id": str(number), "MessageBody": body, "MessageGroupId": group} for number, body in enumerate(bodies)
        ]
        for _ in range(MAX_TRIES):
            try:
                answer = self._client.send_message_batch(QueueUrl=self._url, Entries=left)
            except (ClientError, BotoCoreError) as error:
                raise as_retryable(error, "SQS") from error
            failed = {one["Id"] for one in answer.get("Failed", [])}
            left = [entry for entry in left if entry["Id"] in failed]
            if not left:
                return
        raise Unavailable(f"SQS did not take {len(left)} of {len(bodies)} messages")


def _text(message: Message) -> str:
    return message if isinstance(message, str) else json.dumps(message, separators=(",", ":"))


def _batches(bodies: list[str]) -> Iterator[list[str]]:
    """Runs of bodies that one call holds, in their order."""
    batch: list[str] = []
    size = 0
    for body in bodies:
        length = len(body.encode())
        if batch and (len(batch) == MAX_BATCH or size + length > MAX_BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(body)
        size += length
    if batch:
        yield batch
