"""Repairs what MiniStack keeps wrongly between two starts.

It keeps how far each event source mapping has read its table's stream, but not the stream's records: counted
from nothing again, new records lie before the kept positions and nobody reads them. Without positions the
mappings begin where they are declared to (TRIM_HORIZON), which is the first new record. Changes that nobody
had read when the system ended are lost with the records; the sweep finds their orders.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LAMBDA_STATE = "lambda.json"


def forget_stream_positions(state_dir: Path) -> None:
    """Before MiniStack starts: removes the kept positions. Does nothing where nothing was kept."""
    path = state_dir / LAMBDA_STATE
    if not path.exists():
        return
    state = json.loads(path.read_text())
    state["payload"]["dynamodb_stream_positions"]["data"] = {}
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(state))
    draft.replace(path)
