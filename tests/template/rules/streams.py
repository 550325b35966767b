"""Rules about the readers of table streams and about schedules: bounded retries, nothing lost."""

from __future__ import annotations

from collections import Counter

from tests.template.expanded import Template, of_type, properties, stream_mappings
from tests.template.registry import Breaker, removes, rule, sets

READERS_PER_STREAM = 2
"""AWS throttles a stream with more readers of one shard than two (DynamoDB Developer Guide, streams)."""


def _third_reader(template: Template) -> None:
    copy = dict(template["Resources"]["StreamOrdersFunctionOrdersStream"])
    template["Resources"]["ThirdReader"] = copy


def _to_a_queue(template: Template) -> None:
    failure = properties(template, "StreamPublishFunctionOrdersStream")["DestinationConfig"]["OnFailure"]
    failure["Destination"] = "arn:aws:sqs:us-east-1:111122223333:oms-prod-intake-dlq"


@rule("At most two functions read a stream", Breaker("a third reader of orders", _third_reader))
def streams_have_two_readers(template: Template) -> list[str]:
    """One wakes executions, one publishes; everything else follows the bus."""
    readers = Counter(m["Properties"]["EventSourceArn"] for m in stream_mappings(template).values())
    return [f"{arn} has {count} readers" for arn, count in readers.items() if count > READERS_PER_STREAM]


@rule(
    "A record that keeps failing is isolated, given up on after bounded tries, and kept in S3",
    removes("StreamOrdersFunctionOrdersStream", "MaximumRetryAttempts"),
    sets("StreamOrdersFunctionOrdersStream", "MaximumRetryAttempts", -1),
    sets("StreamPublishFunctionOrdersStream", "MaximumRecordAgeInSeconds", -1),
    sets("StreamDeliveriesFunctionDeliveriesStream", "BisectBatchOnFunctionError", False),
    removes("StreamDeliveriesFunctionDeliveriesStream", "DestinationConfig"),
    Breaker("only a pointer to the failed records is kept", _to_a_queue),
)
def stream_retries_are_bounded(template: Template) -> list[str]:
    """Only S3 keeps the records themselves; a queue would get a pointer that is void after a day."""
    wrong = []
    for name, mapping in stream_mappings(template).items():
        found = mapping["Properties"]
        if not 1 <= found.get("MaximumRetryAttempts", -1) <= 100:
            wrong.append(f"{name} retries without end")
        if not 60 <= found.get("MaximumRecordAgeInSeconds", -1) <= 24 * 3600:
            wrong.append(f"{name} keeps records without end")
        if found.get("BisectBatchOnFunctionError") is not True:
            wrong.append(f"{name} does not isolate a bad record")
        target = found.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination", "")
        if ":s3:::" not in target or "stream-failures" not in target:
            wrong.append(f"{name} loses what it gives up on")
    return wrong


@rule(
    "Readers start at the oldest record, so that none is skipped when they are made anew",
    sets("StreamPublishFunctionOrdersStream", "StartingPosition", "LATEST"),
)
def readers_start_at_the_oldest(template: Template) -> list[str]:
    """LATEST loses what is written between the table and its reader."""
    return [
        f"{name} skips records"
        for name, mapping in stream_mappings(template).items()
        if mapping["Properties"]["StartingPosition"] != "TRIM_HORIZON"
    ]


@rule(
    "A schedule that cannot be run is tried a bounded number of times and then kept",
    removes("ScheduleSweepFunctionSweep", "Target.DeadLetterConfig"),
    sets("ScheduleExpiryFunctionExpiry", "Target.RetryPolicy.MaximumRetryAttempts", 185),
    removes("ScheduleExpiryFunctionEventInvokeConfig", "DestinationConfig"),
)
def schedules_are_bounded(template: Template) -> list[str]:
    """EventBridge Scheduler tries 185 times over a day by default, Lambda twice over six hours."""
    wrong = []
    for name, schedule in of_type(template, "AWS::Scheduler::Schedule").items():
        target = schedule["Properties"]["Target"]
        if target.get("RetryPolicy", {}).get("MaximumRetryAttempts", 185) > 10:
            wrong.append(f"{name} is tried too often")
        if not target.get("DeadLetterConfig", {}).get("Arn"):
            wrong.append(f"{name} is lost when it fails")
    for name, config in of_type(template, "AWS::Lambda::EventInvokeConfig").items():
        if not config["Properties"].get("DestinationConfig", {}).get("OnFailure", {}).get("Destination"):
            wrong.append(f"{name} forgets failed runs")
    return wrong


@rule(
    "Every scheduled function keeps its failed runs",
    removes("ScheduleSweepFunctionEventInvokeConfig"),
)
def scheduled_functions_keep_failures(template: Template) -> list[str]:
    """Scheduler invokes asynchronously: without this Lambda drops what failed."""
    configs = of_type(template, "AWS::Lambda::EventInvokeConfig").values()
    kept = {config["Properties"]["FunctionName"] for config in configs}
    return [
        f"{name} forgets failed runs"
        for name, schedule in of_type(template, "AWS::Scheduler::Schedule").items()
        if schedule["Properties"]["Target"]["Arn"].rsplit(":", 1)[1] not in kept
    ]
