"""The way to the intake queue, the same for every door: envelopes as messages, large bodies aside in the inbox."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from oms.domain.incoming import Envelope
from oms.runtime.service_errors import as_retryable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from oms.runtime.queues import Queue

# A message may have 1 MiB, but a poller's whole batch of ten must fit into 6 MB.
MAX_MESSAGE_BYTES = 200_000

ToMessage = Callable[[Envelope, str | None], str]
"""The envelope as a queue holds it; with the key of its body, where that lies in the inbox."""


class IntakeDoor:
    """Puts envelopes on the intake queue, in the group of their account."""

    def __init__(self, queue: Queue, s3: S3Client, bucket: str, to_message: ToMessage) -> None:
        self._queue = queue
        self._s3 = s3
        self._bucket = bucket
        self._to_message = to_message

    def put(self, envelope: Envelope) -> None:
        """Puts one on the queue. Raises Throttled or Unavailable: then it may or may not be there."""
        self._queue.send(self._message(envelope), group=_group(envelope))

    def put_many(self, envelopes: Sequence[Envelope]) -> None:
        """Puts all on the queue, which are of one account. Raises as `put`: then some may be there."""
        if envelopes:
            messages = [self._message(envelope) for envelope in envelopes]
            self._queue.send_many(messages, group=_group(envelopes[0]))

    def _message(self, envelope: Envelope) -> str:
        # half a letter, which JSON can spell and UTF-8 can't, would keep the whole body from being read or kept
        envelope = replace(envelope, body=envelope.body.encode(errors="replace").decode())
        message = self._to_message(envelope, None)
        if len(message) > MAX_MESSAGE_BYTES:
            message = self._to_message(envelope, self._put_body(envelope))
        return message

    def _put_body(self, envelope: Envelope) -> str:
        """Keeps the body in the inbox; a repeated delivery of a day overwrites itself."""
        digest = hashlib.sha256(f"{envelope.message_id}\n{envelope.body}".encode(errors="replace")).hexdigest()
        key = f"inbox/{envelope.channel}/{envelope.account}/{envelope.received_at:%Y-%m-%d}/{digest}"
        try:
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=envelope.body.encode())
        except (ClientError, BotoCoreError) as error:
            raise as_retryable(error, "S3") from error
        return key


def _group(envelope: Envelope) -> str:
    return f"{envelope.channel}#{envelope.account}"
