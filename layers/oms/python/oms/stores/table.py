"""One DynamoDB table as the stores see it: plain values in and out, our errors, bounded pages."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec
from botocore.exceptions import (
    ClientError,
    ConnectionError,
    EndpointConnectionError,
    HTTPClientError,
)

from oms.domain.errors import InvalidMessage, InvariantBroken, Throttled, Unavailable, WriteConflict
from oms.stores.attribute_values import from_item, to_item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MAX_PAGES = 100
REMEMBERED_EXPRESSIONS = 256
_THROTTLED = frozenset({"ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"})
_CONFLICT = frozenset({"TransactionConflictException", "TransactionInProgressException"})
_NOT_UNDERSTOOD = frozenset({"ValidationException", "SerializationException"})
_UNAVAILABLE = frozenset({"InternalServerError", "ServiceUnavailable", "InternalFailure"})

Key = dict[str, dict[Literal["S", "N"], str]]


class ConditionFailedError(Exception):
    """A write's condition did not hold; `image` is the item as it is, if there is one."""

    def __init__(self, image: dict[str, Any] | None) -> None:
        super().__init__("condition failed")
        self.image = image


class Page(NamedTuple):
    """One page of a list and the opaque cursor of the next, None on the last."""

    items: list[dict[str, Any]]
    cursor: str | None


@contextmanager
def our_errors() -> Iterator[None]:
    """AWS's errors as ours; what is a bug of ours (a bad expression, a missing permission) stays as it is."""
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "ConditionalCheckFailedException":
            image: Any = error.response.get("Item")
            raise ConditionFailedError(from_item(image) if image else None) from error
        if code in _THROTTLED:
            raise Throttled(code) from error
        if code in _CONFLICT:
            raise WriteConflict(code) from error
        if code in _UNAVAILABLE:
            raise Unavailable(code) from error
        raise
    except (ConnectionError, EndpointConnectionError, HTTPClientError) as error:
        raise Unavailable(type(error).__name__) from error


class Table:
    """Access to one table by its physical name."""

    def __init__(self, client: DynamoDBClient, name: str) -> None:
        self.client = client
        self.name = name

    def get(self, key: Mapping[str, Any], *, consistent: bool = True) -> dict[str, Any] | None:
        """The item of this key, or None."""
        with our_errors():
            answer = self.client.get_item(TableName=self.name, Key=to_item(key), ConsistentRead=consistent)
        item = answer.get("Item")
        return from_item(item) if item else None

    def put(self, item: Any, condition: str = "", values: Mapping[str, Any] | None = None) -> None:
        """Writes a whole item, a mapping or a dataclass. Raises ConditionFailedError with the image that is stored."""
        with our_errors():
            self.client.put_item(**self.put_action(item, condition, values))

    def put_action(self, item: Any, condition: str = "", values: Mapping[str, Any] | None = None) -> Any:
        """The parameters of a put, alone or as a transaction's action."""
        action: dict[str, Any] = {"TableName": self.name, "Item": to_item(item)}
        return action | _conditional(condition, values)

    def update(self, key: Mapping[str, Any], expression: str, values: Mapping[str, Any], condition: str = "") -> None:
        """Changes some attributes of an item, which is made if absent. Raises ConditionFailedError."""
        with our_errors():
            self.client.update_item(**self.update_action(key, expression, values, condition))

    def update_action(
        self, key: Mapping[str, Any], expression: str, values: Mapping[str, Any], condition: str = ""
    ) -> Any:
        """The parameters of an update, alone or as a transaction's action. `#name` stands for attribute `name`."""
        action: dict[str, Any] = {"TableName": self.name, "Key": to_item(key), "UpdateExpression": expression}
        return action | _conditional(condition, values) | _names(f"{expression} {condition}")

    def delete(self, key: Mapping[str, Any], condition: str = "", values: Mapping[str, Any] | None = None) -> None:
        """Deletes an item; deleting what is not there is fine. Raises ConditionFailedError."""
        with our_errors():
            self.client.delete_item(**self.delete_action(key, condition, values))

    def delete_action(
        self, key: Mapping[str, Any], condition: str = "", values: Mapping[str, Any] | None = None
    ) -> Any:
        """The parameters of a delete, alone or as a transaction's action."""
        return {"TableName": self.name, "Key": to_item(key)} | _conditional(condition, values)

    def check_action(self, key: Mapping[str, Any], condition: str, values: Mapping[str, Any]) -> Any:
        """The parameters of a transaction's check: nothing is written there, the condition must hold."""
        return {"TableName": self.name, "Key": to_item(key)} | _conditional(condition, values)

    def query(
        self,
        condition: str,
        values: Mapping[str, Any],
        *,
        index: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
        descending: bool = False,
        consistent: bool = False,
    ) -> Page:
        """One page of at most `limit` items. `#name` in the condition stands for attribute `name`."""
        request: dict[str, Any] = {
            "TableName": self.name,
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": to_item(values),
            "Limit": limit,
            "ScanIndexForward": not descending,
            "ConsistentRead": consistent,
        } | _names(condition)
        if index:
            request["IndexName"] = index
        if cursor:
            request["ExclusiveStartKey"] = _from_cursor(cursor)
        answer = self._query(request) if cursor is None else self._query_on(request)
        last = answer.get("LastEvaluatedKey")
        return Page([from_item(item) for item in answer["Items"]], _to_cursor(last) if last else None)

    def _query(self, request: dict[str, Any]) -> Any:
        with our_errors():
            return self.client.query(**request)

    def _query_on(self, request: dict[str, Any]) -> Any:
        """Goes on from a cursor, which came from outside: what DynamoDB says of its form is about that."""
        try:
            return self._query(request)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _NOT_UNDERSTOOD:
                raise
            raise _bad_cursor() from error

    def query_all(
        self, condition: str, values: Mapping[str, Any], *, index: str | None = None, consistent: bool = False
    ) -> list[dict[str, Any]]:
        """Every item of a key; for keys that hold a bounded number of items. Raises InvariantBroken beyond MAX_PAGES:
        an answer with a part missing would be taken for the whole."""
        items: list[dict[str, Any]] = []
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            page = self.query(condition, values, index=index, limit=1000, cursor=cursor, consistent=consistent)
            items += page.items
            cursor = page.cursor
            if cursor is None:
                return items
        raise InvariantBroken(f"{self.name}: more than {MAX_PAGES} pages under one key")

    def scan_all(self) -> list[dict[str, Any]]:
        """Every item; for tables of reference data only. Raises InvariantBroken beyond MAX_PAGES."""
        items: list[dict[str, Any]] = []
        request: dict[str, Any] = {"TableName": self.name}
        for _ in range(MAX_PAGES):
            with our_errors():
                answer = self.client.scan(**request)
            items += [from_item(item) for item in answer["Items"]]
            if "LastEvaluatedKey" not in answer:
                return items
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
        raise InvariantBroken(f"{self.name}: more than {MAX_PAGES} pages")


def _conditional(condition: str, values: Mapping[str, Any] | None) -> dict[str, Any]:
    action: dict[str, Any] = {}
    if condition:
        action["ConditionExpression"] = condition
        action["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        action |= _names(condition)
    if values:
        action["ExpressionAttributeValues"] = to_item(values)
    return action


def _names(expression: str) -> dict[str, Any]:
    """`#status` stands for the attribute `status`: the names that DynamoDB reserves need no other alias."""
    names = {alias: alias[1:] for alias in _aliases(expression)}
    return {"ExpressionAttributeNames": names} if names else {}


@lru_cache(maxsize=REMEMBERED_EXPRESSIONS)
def _aliases(expression: str) -> tuple[str, ...]:
    words = expression.replace("(", " ").replace(")", " ").replace(",", " ").replace("=", " ").split()
    return tuple(dict.fromkeys(word for word in words if word.startswith("#")))


def _to_cursor(key: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(key, separators=(",", ":")).encode()).decode()


def _from_cursor(cursor: str) -> Key:
    """The key a cursor was made of; it came from outside, and nothing on the way to DynamoDB looks at its form."""
    try:
        key = msgspec.json.decode(base64.urlsafe_b64decode(cursor), type=Key)
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise _bad_cursor() from error
    if not key or any(len(value) != 1 for value in key.values()):
        raise _bad_cursor()
    return key


def _bad_cursor() -> InvalidMessage:
    return InvalidMessage("cursor was not made by this list", field="cursor", reason="BAD_CURSOR")
