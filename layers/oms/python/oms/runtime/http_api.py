"""The HTTP API's one way in and out: routes, who asks, bodies and queries into models, errors into answers."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from functools import partial
from typing import Any, TypeVar
from urllib.parse import unquote

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import ForbiddenError, NotFoundError, ServiceError
from pydantic import BaseModel, ValidationError

from oms.domain.errors import InvalidMessage, InvariantBroken, NotFound, OmsError, TooLarge, Unauthorized
from oms.domain.validation import invalid_message
from oms.runtime.api_requests import IDEMPOTENCY_KEY
from oms.runtime.functions import logger, where
from oms.runtime.http_errors import error_body, status_of

MAX_BODY_BYTES = 200_000
"""Enough for 500 lines, and an order document made of it stays far below DynamoDB's 400 KB."""

JSON = "application/json"
M = TypeVar("M", bound=BaseModel)


class Api(APIGatewayHttpResolver):
    """Routes of one function. Whatever they raise is answered as `{"error": {…}}`, never with a stack trace."""

    def __init__(self) -> None:
        super().__init__(serializer=partial(json.dumps, separators=(",", ":"), ensure_ascii=False))
        self.exception_handler(OmsError)(self._told)
        self.exception_handler(ServiceError)(self._refused)
        self.exception_handler(Exception)(self._failed)
        self.not_found(self._no_route)

    @property
    def request_id(self) -> str:
        """API Gateway's id of the request, the one in its access log."""
        return str((self.current_event.get("requestContext") or {}).get("requestId", ""))

    @property
    def client_id(self) -> str:
        """Who asks, as the token's issuer calls the client. Raises Unauthorized for a token without a name."""
        claims = self._claims()
        name = claims.get("client_id") or claims.get("sub")
        if not isinstance(name, str):
            raise Unauthorized("the token names nobody")
        return name

    def require_scope(self, scope: str) -> None:
        """Raises ForbiddenError unless the token holds this scope, beside the one its route asks for."""
        wanted = os.environ.get("SCOPE_PREFIX", "oms/") + scope
        if wanted not in str(self._claims().get("scope", "")).split():
            raise ForbiddenError(f"this needs the scope {wanted}")

    def path_parameter(self, name: str) -> str:
        """A part of the path as it was meant: API Gateway decodes it, all but the percent sign."""
        return unquote(str((self.current_event.get("pathParameters") or {}).get(name, "")))

    def header(self, name: str) -> str:
        """A header of the request, whatever the case of its name; empty when it was not sent."""
        headers: Mapping[str, str] = self.current_event.get("headers") or {}
        return next((value for key, value in headers.items() if key.lower() == name.lower()), "")

    def idempotency_key(self) -> str:
        """The key the caller chose for this request. Raises InvalidMessage for none, or one of odd characters."""
        key = self.header("Idempotency-Key")
        if not re.fullmatch(IDEMPOTENCY_KEY, key):
            message = "Idempotency-Key needs 1 to 255 printable characters without blanks"
            reason = "INVALID_FIELD" if key else "MISSING_FIELD"
            raise InvalidMessage(message, field="Idempotency-Key", reason=reason)
        return key

    def body(self, model: type[M]) -> M:
        """The request's JSON body. Raises TooLarge, or InvalidMessage naming each bad field."""
        text = self._text()
        if len(text) > MAX_BODY_BYTES:
            raise TooLarge(f"a body may have {MAX_BODY_BYTES} bytes", limit_bytes=MAX_BODY_BYTES)
        try:
            return model.model_validate_json(text)
        except ValidationError as error:
            raise invalid_message(error.errors(include_url=False, include_input=False)) from error

    def query(self, model: type[M]) -> M:
        """The request's query. Raises InvalidMessage naming each bad or unknown parameter."""
        try:
            return model.model_validate(self.current_event.get("queryStringParameters") or {})
        except ValidationError as error:
            raise invalid_message(error.errors(include_url=False, include_input=False)) from error

    def _text(self) -> bytes:
        try:
            return (self.current_event.decoded_body or "").encode("utf-8")
        except ValueError as error:  # not base64, or not UTF-8 inside
            raise InvalidMessage("the body is not text", field="body", reason="MALFORMED_JSON") from error

    def _claims(self) -> dict[str, Any]:
        context = self.current_event.get("requestContext") or {}
        claims: dict[str, Any] = ((context.get("authorizer") or {}).get("jwt") or {}).get("claims") or {}
        return claims

    def _told(self, error: OmsError) -> Response[Any]:
        if isinstance(error, InvariantBroken):
            return self._failed(error)
        status = status_of(error)
        logger.info("refused", extra={"reason": type(error).__name__, "status": status})
        return answer(status, error_body(error, self.request_id))

    def _refused(self, error: ServiceError) -> Response[Any]:
        code = type(error).__name__.removesuffix("Error")
        return self._error(int(error.status_code), code, str(error.msg))

    def _failed(self, error: Exception) -> Response[Any]:
        """A bug. Its message may quote people's data: only its name and place are written down."""
        logger.error("failed", extra={"reason": type(error).__name__, "where": where(error)})
        return self._error(500, "InternalError", "this is our fault; tell us the request_id")

    def _no_route(self, _error: NotFoundError) -> Response[Any]:
        return answer(404, error_body(NotFound("there is nothing at this address"), self.request_id))

    def _error(self, status: int, code: str, message: str) -> Response[Any]:
        error = {"code": code, "message": message, "details": {}, "request_id": self.request_id}
        return answer(status, {"error": error})


def answer(status: int, body: Mapping[str, Any], **headers: str) -> Response[Any]:
    """A JSON answer."""
    return Response(status_code=status, content_type=JSON, body=dict(body), headers=dict(headers))
