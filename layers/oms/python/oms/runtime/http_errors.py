"""Errors to HTTP answers, in one place. No answer holds a stack trace or repeats what was sent."""

from __future__ import annotations

from oms.domain.errors import (
    IllegalTransition,
    InvalidMessage,
    NotFound,
    OmsError,
    Retryable,
    TooLarge,
    Unauthorized,
)

# The first that fits; what is not named here is a conflict with the state of things.
_STATUS: tuple[tuple[type[OmsError], int], ...] = (
    (Unauthorized, 401),
    (NotFound, 404),
    (TooLarge, 413),
    (InvalidMessage, 422),
    (IllegalTransition, 409),
    (Retryable, 503),
)


def status_of(error: OmsError) -> int:
    """The HTTP status that tells the caller what kind of error this is, and so whether to try again."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 409)


def error_body(error: OmsError, request_id: str) -> dict[str, object]:
    """What the caller reads: `{"error": {"code", "message", "details", "request_id"}}`.

    Whatever was not authorized gets the same words, so that nobody learns which accounts exist.
    """
    is_told = not isinstance(error, Unauthorized)
    return {
        "error": {
            "code": type(error).__name__,
            "message": str(error) if is_told else "the account or its signature is not known",
            "details": error.details if is_told else {},
            "request_id": request_id,
        }
    }
