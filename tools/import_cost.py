"""`make import-cost`: what each handler costs to import, in a fresh process: milliseconds and modules.

A Lambda's cold start is mostly this. Milliseconds differ from machine to machine: compare, don't quote; the number
of modules is exact.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
RUNS = 5
PROBE = """
import json, sys, time
before = time.perf_counter()
sys.path.insert(0, sys.argv[1])
import app
after = time.perf_counter()
heavy = ["boto3", "pydantic", "msgspec", "aws_lambda_powertools.event_handler"]
print(json.dumps([(after - before) * 1000, len(sys.modules), [name for name in heavy if name in sys.modules]]))
"""
QUEUES = ("INTAKE", "ALLOCATION", "FULFILLMENT", "OUTBOUND", "STOCK", "POLL", "CHANNELS")
ENVIRONMENT = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "STAGE": "local",
    "TABLE_PREFIX": "oms-local-",
    "POWERTOOLS_SERVICE_NAME": "import_cost",
    "POWERTOOLS_METRICS_NAMESPACE": "oms",
    "INBOX_BUCKET": "none",
    "EVENT_BUS_NAME": "none",
    "ORDER_LIFECYCLE_ARN": "arn:aws:states:us-east-1:000000000000:stateMachine:none",
    **{f"{queue}_QUEUE_URL": "none" for queue in QUEUES},
}


def main() -> int:
    """Prints a table, or JSON with --json."""
    parser = argparse.ArgumentParser(prog="python -m tools.import_cost", description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    parser.add_argument("handlers", nargs="*", help="these only, such as queue_intake")
    asked = parser.parse_args()
    as_json = asked.json
    if not as_json:
        print(f"{'handler':<22}{'ms':>7}{'modules':>9}   loads")
    for folder in sorted((PROJECT / "functions").glob("*/app.py")):
        if asked.handlers and folder.parent.name not in asked.handlers:
            continue
        cost = measure(folder.parent)
        if as_json:
            print(json.dumps(cost))
        else:
            print(f"{cost['handler']:<22}{cost['ms']:>7}{cost['modules']:>9}   {cost['loads']}")
    return 0


def measure(folder: Path) -> dict[str, object]:
    """The median of RUNS fresh imports of one handler."""
    path = str(PROJECT / "layers" / "oms" / "python")
    environment = {**os.environ, **ENVIRONMENT, "PYTHONPATH": path}
    command = [sys.executable, "-c", PROBE, str(folder)]
    runs = [
        json.loads(subprocess.run(command, env=environment, capture_output=True, check=True, text=True).stdout)
        for _ in range(RUNS)
    ]
    milliseconds = round(statistics.median(run[0] for run in runs))
    return {"handler": folder.name, "ms": milliseconds, "modules": runs[0][1], "loads": ", ".join(runs[0][2])}


if __name__ == "__main__":
    sys.exit(main())
