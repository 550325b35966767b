"""Vendors' descriptions, mended where they contradict themselves: what a test asks of them is to judge our requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def only_requests(description: Any, answers: Mapping[str, Any] | None = None) -> Any:
    """The description, saying nothing of answers, since its own examples of them break it.

    `answers` are examples to give instead, by operationId; {} where the description has none.
    """
    calls = [call for path in description["paths"].values() for call in path.values() if isinstance(call, dict)]
    for call in calls:
        for response in call.get("responses", {}).values():
            for content in response.get("content", {}).values():
                _replace(content, (answers or {}).get(call.get("operationId")))
    return description


def _replace(content: Any, answer: Any) -> None:
    content["schema"] = {}
    if answer is not None:
        content.pop("examples", None)
        content["example"] = answer
    elif "examples" not in content:
        content.setdefault("example", {})
