"""The inbox bucket: bodies too large for a queue message, and files that are uploaded to us."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from oms.domain.errors import InvalidMessage, TooLarge
from oms.runtime.service_errors import as_retryable, error_code

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


UPLOAD_SECONDS = 900
"""How long an address may be uploaded to."""


class Inbox:
    """Reads what the webhook door put aside and what was uploaded."""

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

    def upload_url(self, key: str) -> str:
        """An address that takes one file by PUT, for UPLOAD_SECONDS."""
        where = {"Bucket": self._bucket, "Key": key}
        return self._client.generate_presigned_url("put_object", Params=where, ExpiresIn=UPLOAD_SECONDS)

    def file(self, key: str, max_bytes: int) -> str:
        """The text of an uploaded file.

        Raises InvalidMessage when nothing was uploaded or it is not text, TooLarge, Retryable.
        """
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=key)
            if answer["ContentLength"] > max_bytes:
                raise TooLarge(f"a file may have {max_bytes} bytes")
            return answer["Body"].read().decode("utf-8")
        except UnicodeDecodeError as error:
            raise InvalidMessage("the file is not UTF-8 text", field="file", reason="NOT_TEXT") from error
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError) and error_code(error) == "NoSuchKey":
                raise InvalidMessage("nothing was uploaded", field="file", reason="NOT_UPLOADED") from error
            raise as_retryable(error, "S3") from error
