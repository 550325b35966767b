"""What every function's `app.py` begins with: its logger, its settings, and a handler that is told apart in logs."""

from __future__ import annotations

import gc
import os
import traceback
from collections.abc import Callable
from functools import wraps
from typing import Any

from aws_lambda_powertools import Logger, Metrics

from oms.runtime.clients import recorder

Event = dict[str, Any]
Handler = Callable[[Event, Any], Any]

OBJECTS_BETWEEN_COLLECTIONS = 50_000
"""A batch makes some hundred thousand objects that live until it ends: looking through them for cycles every 700,
Python's own choice, finds nothing and takes a third of the processor time of a group commit."""

gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)

logger = Logger(log_record_order=["level", "message", "order_id", "correlation_id"], location=None, utc=True)
metrics = Metrics()


def environment(name: str) -> str:
    """A setting the template gives the function. Raises KeyError naming it: at start, not in the middle."""
    return os.environ[name]


def table_prefix() -> str:
    """What physical table names begin with: `oms-<stage>-`."""
    return environment("TABLE_PREFIX")


def where(error: BaseException) -> str:
    """Where a bug showed, without its message: that may quote people's data."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].name}:{frames[-1].lineno}" if frames else ""


def lambda_handler(handler: Handler) -> Handler:
    """Around a handler: counts the invocation (local stage only) and sends its metrics when it ends, however."""

    @wraps(handler)
    def observed(event: Event, context: Any) -> Any:
        watcher = recorder()
        if watcher:
            watcher.invocation()
        try:
            return handler(event, context)
        finally:
            if metrics.metric_set:
                metrics.flush_metrics()

    return observed
