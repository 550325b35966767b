"""Messages that failed come again when somebody may be there to take them, not when the queue thinks so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from oms.runtime.functions import logger

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

AT_ONCE = 10
"""Messages that SQS takes in a call of ChangeMessageVisibilityBatch."""


def postpone(client: SQSClient, url: str, records: Mapping[str, Any], seconds: Mapping[str, float]) -> None:
    """Has messages of a batch come again after so many seconds each. `records` and `seconds` are by message id.

    What can't be postponed comes again all the same, after the queue's own time.
    """
    entries = [
        {
            "Id": str(at),
            "ReceiptHandle": records[message_id]["receiptHandle"],
            "VisibilityTimeout": round(wait),
        }
        for at, (message_id, wait) in enumerate(seconds.items())
    ]
    for start in range(0, len(entries), AT_ONCE):
        part: Any = entries[start : start + AT_ONCE]
        try:
            answer = client.change_message_visibility_batch(QueueUrl=url, Entries=part)
        except (ClientError, BotoCoreError) as error:
            logger.warning("not postponed", extra={"reason": type(error).__name__})
            continue
        if answer.get("Failed"):
            logger.warning("not postponed", extra={"messages": len(answer["Failed"])})
