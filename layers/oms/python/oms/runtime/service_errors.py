"""What AWS services raise, as errors of ours: whether to slow down or just to try again later."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError

from oms.domain.errors import Retryable, Throttled, Unavailable

# The names that SQS, S3 and Secrets Manager have for "too many requests".
_THROTTLING = frozenset(
    {
        "LimitExceededException",
        "OverLimit",
        "RequestThrottled",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "KMS.ThrottlingException",
        "KmsThrottled",
    }
)


def error_code(error: ClientError) -> str:
    """The service's own name of the error, without the `AWS.SimpleQueueService.` SQS may put in front."""
    return str(error.response.get("Error", {}).get("Code", "")).removeprefix("AWS.SimpleQueueService.")


def as_retryable(error: ClientError | BotoCoreError, service: str) -> Retryable:
    """The error to raise from this one: Throttled when the service said so, else Unavailable."""
    if isinstance(error, ClientError) and error_code(error) in _THROTTLING:
        return Throttled(f"{service} asked us to slow down")
    reason = error_code(error) if isinstance(error, ClientError) else type(error).__name__
    return Unavailable(f"{service} did not do what was asked: {reason}")
