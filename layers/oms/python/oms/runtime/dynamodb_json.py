"""DynamoDB's requests and answers, translated in one piece.

What DynamoDB takes and gives is JSON in the very shape of the parameters. botocore nevertheless walks through every
attribute of every item by its service model, which costs more than all the rest of a large write; here the whole is
encoded and decoded at once. Errors go botocore's way.
"""

from __future__ import annotations

from typing import Any

import msgspec

OPERATIONS = (
    "BatchGetItem",
    "BatchWriteItem",
    "DeleteItem",
    "GetItem",
    "PutItem",
    "Query",
    "Scan",
    "TransactWriteItems",
    "UpdateItem",
)
_BODY = "dynamodb_json"


def translate_at_once(client: Any) -> None:
    """From now on the client's items are translated here. It must not validate parameters: it never sees them.

    Whoever else looks at parameters must not keep them: copy them.
    """
    events = client.meta.events
    # The most general event comes last: by then whatever others add to the parameters is there.
    events.register_last("before-parameter-build", _encode)
    for operation in OPERATIONS:
        events.register_first(f"before-call.dynamodb.{operation}", _take_body)
        events.register_first(f"before-parse.dynamodb.{operation}", _decode)


def _encode(params: dict[str, Any], context: dict[str, Any], model: Any, **_: Any) -> None:
    """The endpoint's rules look at the names of tables: what is left has their shape, and nothing to serialise."""
    if model.name not in OPERATIONS:
        return
    context[_BODY] = msgspec.json.encode(params)
    for name, value in params.items():
        params[name] = [] if isinstance(value, list) else {} if isinstance(value, dict) else value


def _take_body(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    params["body"] = context[_BODY]


def _decode(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    if response_dict["status_code"] == 200:
        customized_response_dict.update(msgspec.json.decode(response_dict["body"]))
        response_dict["body"] = b"{}"
