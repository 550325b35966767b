"""The inbox bucket: bodies too large for a queue message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from oms.domain.errors import InvalidMessage
from oms.runtime.service_errors import as_retryable, error_code

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Inbox:
    """Reads what the webhook door put aside."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def text(self, key: str | None) -> str | None:
        """The text kept under a key; None without one, where the message holds its body itself.

        Raises InvalidMessage when it is gone, Retryable when it can't be read now.
        """
        if key is None:
            return None
        try:
            return self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read().decode("utf-8")
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError) and error_code(error) == "NoSuchKey":
                raise InvalidMessage(
                    "its body is no longer in the inbox", field="body_s3_key", reason="BODY_GONE"
                ) from error
            raise as_retryable(error, "S3") from error
