"""Rules about queues and what polls them: dead letters, visibility, encryption, batches."""

from __future__ import annotations

from typing import Any

from tests.template.expanded import (
    Template,
    function_by_name,
    mappings,
    of_type,
    queue_by_arn,
    queue_mappings,
)
from tests.template.registry import removes, rule, sets

DEAD_LETTER_SECONDS = 14 * 24 * 3600
PEOPLES_DATA = {"IntakeQueue", "IntakeDeadLetterQueue"}


def worked_queues(template: Template) -> dict[str, dict[str, Any]]:
    """Queues that are not themselves for dead letters."""
    queues = of_type(template, "AWS::SQS::Queue")
    return {k: q["Properties"] for k, q in queues.items() if not q["Properties"]["QueueName"].endswith("-dlq")}


@rule(
    "Every queue keeps what failed five times in its own dead-letter queue for 14 days",
    removes("IntakeQueue", "RedrivePolicy"),
    sets("OutboundQueue", "RedrivePolicy.maxReceiveCount", 2),
    sets("FulfillmentDeadLetterQueue", "MessageRetentionPeriod", 345600),
    sets(
        "OutboundQueue",
        "RedrivePolicy.deadLetterTargetArn",
        "arn:aws:sqs:us-east-1:111122223333:oms-prod-intake-dlq",
    ),
)
def queues_have_dead_letters(template: Template) -> list[str]:
    """Nothing is dropped silently; a shared dead-letter queue could not be redriven."""
    wrong = []
    for name, queue in worked_queues(template).items():
        redrive = queue.get("RedrivePolicy", {})
        arn = redrive.get("deadLetterTargetArn", "")
        if not arn.endswith(f":{queue['QueueName']}-dlq"):
            wrong.append(f"{name} has no dead letters of its own")
            continue
        if redrive.get("maxReceiveCount", 0) < 5:
            wrong.append(f"{name} gives up too early")
        if queue_by_arn(template, arn)["Properties"].get("MessageRetentionPeriod") != DEAD_LETTER_SECONDS:
            wrong.append(f"dead letters of {name} are not kept 14 days")
    return wrong


@rule(
    "A message stays invisible for six times the worker's timeout plus the batching window",
    sets("AllocationQueue", "VisibilityTimeout", 720),
    sets("QueueFulfillmentFunction", "Timeout", 62),
)
def visibility_outlasts_the_worker(template: Template) -> list[str]:
    """AWS asks for this, so that retries of a throttled worker do not double its batches."""
    wrong = []
    for name, mapping in queue_mappings(template).items():
        found = mapping["Properties"]
        queue = queue_by_arn(template, found["EventSourceArn"])["Properties"]
        timeout = function_by_name(template, found["FunctionName"])["Properties"]["Timeout"]
        needed = 6 * timeout + found.get("MaximumBatchingWindowInSeconds", 0)
        if queue.get("VisibilityTimeout", 30) < needed:
            wrong.append(f"{name} needs a visibility timeout of {needed} seconds")
    return wrong


@rule(
    "Every queue is encrypted, those with people's data under the contacts key",
    removes("IntakeQueue", "KmsMasterKeyId"),
    sets("IntakeDeadLetterQueue", "KmsMasterKeyId", "alias/aws/sqs"),
    sets("OutboundQueue", "SqsManagedSseEnabled", False),
)
def queues_are_encrypted(template: Template) -> list[str]:
    """Raw messages of channels hold names and addresses; dead letters are the same messages."""
    wrong = []
    for name, queue in of_type(template, "AWS::SQS::Queue").items():
        key = queue["Properties"].get("KmsMasterKeyId", "")
        if name in PEOPLES_DATA and not key.endswith("key/ContactsKey"):
            wrong.append(f"{name} is not under the contacts key")
        if name not in PEOPLES_DATA and queue["Properties"].get("SqsManagedSseEnabled") is not True:
            wrong.append(f"{name} is not encrypted")
    return wrong


@rule(
    "Every worker reports which messages failed, so that one bad message does not repeat a batch",
    removes("QueueIntakeFunctionIntakeMessages", "FunctionResponseTypes"),
    sets("StreamOrdersFunctionOrdersStream", "FunctionResponseTypes", []),
)
def partial_failures_are_reported(template: Template) -> list[str]:
    """Both queues and streams know ReportBatchItemFailures."""
    return [
        f"{name} repeats whole batches"
        for name, mapping in mappings(template).items()
        if mapping["Properties"].get("FunctionResponseTypes") != ["ReportBatchItemFailures"]
    ]


@rule(
    "Every queue's workers are bounded in number, at least two",
    removes("QueueOutboundFunctionOutboundMessages", "ScalingConfig"),
    sets("QueueAllocationFunctionAllocationMessages", "ScalingConfig.MaximumConcurrency", 1),
)
def concurrency_is_bounded(template: Template) -> list[str]:
    """AWS accepts 2 to 1000; unbounded workers would throttle DynamoDB and starve the API of concurrency."""
    return [
        f"{name} has no bound of at least 2"
        for name, mapping in queue_mappings(template).items()
        if not 2 <= mapping["Properties"].get("ScalingConfig", {}).get("MaximumConcurrency", 0) <= 1000
    ]


@rule(
    "A batch of more than ten messages waits for its window",
    removes("QueueAllocationFunctionAllocationMessages", "MaximumBatchingWindowInSeconds"),
    sets("QueueFulfillmentFunctionFulfillmentMessages", "MaximumBatchingWindowInSeconds", 0),
)
def large_batches_have_a_window(template: Template) -> list[str]:
    """AWS refuses a BatchSize above 10 without a window of at least a second."""
    return [
        f"{name} has a large batch without a window"
        for name, mapping in queue_mappings(template).items()
        if mapping["Properties"]["BatchSize"] > 10
        and mapping["Properties"].get("MaximumBatchingWindowInSeconds", 0) < 1
    ]


@rule(
    "Allocation takes the largest batches that one transaction plan can hold, by two workers",
    sets("QueueAllocationFunctionAllocationMessages", "BatchSize", 10),
    sets("QueueAllocationFunctionAllocationMessages", "ScalingConfig.MaximumConcurrency", 50),
)
def allocation_is_grouped(template: Template) -> list[str]:
    """Group commit lives on large batches and few writers per stock position."""
    found = mappings(template)["QueueAllocationFunctionAllocationMessages"]["Properties"]
    shape = (
        found["BatchSize"],
        found.get("MaximumBatchingWindowInSeconds"),
        found["ScalingConfig"]["MaximumConcurrency"],
    )
    return [] if shape == (490, 2, 2) else [f"allocation polls {shape}"]


@rule(
    "Only its own rule of the bus may write to a queue of events",
    sets("EventCopyQueuePolicy", "PolicyDocument.Statement.0.Principal", "*"),
    removes("EventCopyQueuePolicy", "PolicyDocument.Statement.0.Condition"),
    removes("ProjectionQueuePolicy", "PolicyDocument.Statement.0.Condition"),
    stages=("local", "dev"),
)
def queues_of_events_are_closed(template: Template) -> list[str]:
    """A service principal without a source could be used from any account."""
    return [
        f"{name} is open"
        for name, policy in of_type(template, "AWS::SQS::QueuePolicy").items()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Principal"] != {"Service": "events.amazonaws.com"}
        or not statement.get("Condition", {}).get("ArnEquals", {}).get("aws:SourceArn", "").startswith("arn:")
    ]


@rule(
    "What the bus cannot hand to a queue is kept, and every queue of events may be written to by its rule",
    removes("ProjectionRule", "Targets.0.DeadLetterConfig"),
    removes("ProjectionQueuePolicy"),
)
def events_reach_their_queue(template: Template) -> list[str]:
    """EventBridge drops what a queue refuses, without a word, unless it may put it elsewhere."""
    allowed = {
        arn
        for policy in of_type(template, "AWS::SQS::QueuePolicy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        for arn in statement["Resource"]
    }
    wrong = []
    for name, rule_of_bus in of_type(template, "AWS::Events::Rule").items():
        for target in rule_of_bus["Properties"]["Targets"]:
            wanted = {target["Arn"], target.get("DeadLetterConfig", {}).get("Arn", f"dead letters of {name}")}
            wrong += [f"{name} cannot write to {arn}" for arn in sorted(wanted - allowed)]
    return wrong
