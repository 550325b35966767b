"""Rules about alarms: a person hears of everything that stops or is given up on."""

from __future__ import annotations

from typing import Any

from oms.domain.backing_off import LONGEST_SECONDS
from tests.template.expanded import (
    Template,
    functions,
    granted,
    of_type,
    properties,
    queue_by_arn,
    queue_mappings,
    role_of,
    stage_of,
    stream_mappings,
)
from tests.template.registry import grants, removes, rule, sets

QUARANTINE_ARN = "arn:aws:dynamodb:us-east-1:111122223333:table/oms-prod-quarantine"

Signal = tuple[str, str, str]
"""Namespace, metric and the value of the first dimension."""


def alarms(template: Template) -> dict[str, dict[str, Any]]:
    """Logical id to the properties of an alarm."""
    return {k: a["Properties"] for k, a in of_type(template, "AWS::CloudWatch::Alarm").items()}


def signals(template: Template) -> set[Signal]:
    """Everything that some alarm watches."""
    return {(a["Namespace"], a["MetricName"], a["Dimensions"][0]["Value"]) for a in alarms(template).values()}


def _missing(template: Template, wanted: set[Signal]) -> list[str]:
    return [f"nobody hears of {metric} of {name}" for _, metric, name in sorted(wanted - signals(template))]


@rule(
    "An alarm watches every dead-letter queue",
    removes("IntakeDeadLettersAlarm"),
    sets("OutboundDeadLettersAlarm", "Dimensions.0.Value", "oms-prod-outbound"),
)
def dead_letters_are_watched(template: Template) -> list[str]:
    """One message there is one thing that nobody did."""
    names = [q["Properties"]["QueueName"] for q in of_type(template, "AWS::SQS::Queue").values()]
    metric = "ApproximateNumberOfMessagesVisible"
    return _missing(template, {("AWS/SQS", metric, name) for name in names if name.endswith("-dlq")})


@rule("An alarm watches how long messages wait for a worker", removes("AllocationOldestMessageAlarm"))
def oldest_messages_are_watched(template: Template) -> list[str]:
    """A worker that fails or does not keep up shows here first."""
    polled = [m["Properties"]["EventSourceArn"] for m in queue_mappings(template).values()]
    names = [queue_by_arn(template, arn)["Properties"]["QueueName"] for arn in polled]
    return _missing(template, {("AWS/SQS", "ApproximateAgeOfOldestMessage", name) for name in names})


@rule("An alarm watches how far each reader is behind its stream", removes("StreamPublishIteratorAgeAlarm"))
def iterator_age_is_watched(template: Template) -> list[str]:
    """Records are gone after a day."""
    names = [m["Properties"]["FunctionName"] for m in stream_mappings(template).values()]
    return _missing(template, {("AWS/Lambda", "IteratorAge", name) for name in names})


@rule(
    "An alarm watches executions that fail or run out of time",
    removes("ExecutionsFailedAlarm"),
    removes("ExecutionsTimedOutAlarm"),
)
def executions_are_watched(template: Template) -> list[str]:
    """The sweep starts the next generation, but somebody should know why it had to."""
    name = properties(template, "OrderLifecycle")["StateMachineName"]
    watched = {(n, m, v.rsplit(":", 1)[-1]) for n, m, v in signals(template)}
    metrics = {"ExecutionsFailed", "ExecutionsTimedOut"}
    return [f"nobody hears of {m}" for m in sorted(metrics) if ("AWS/States", m, name) not in watched]


@rule(
    "An alarm watches what could not be understood",
    removes("QueueIntakeQuarantinedAlarm"),
    grants("WebhookCarrierFunctionRole", "dynamodb:PutItem", QUARANTINE_ARN),
)
def quarantine_is_watched(template: Template) -> list[str]:
    """Who may write to quarantine counts what they put there, under the name of their service."""
    writers = {
        function["Properties"]["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]
        for function in functions(template).values()
        for action, resource, _ in granted(role_of(template, function))
        if action == "dynamodb:PutItem" and resource.endswith("-quarantine")
    }
    return _missing(template, {(f"oms-{stage_of(template)}", "OrdersQuarantined", name) for name in writers})


@rule(
    "An alarm watches refresh tokens that could not be kept",
    removes("SchedulePublishStockCredentialsNotKeptAlarm"),
    grants("QueueIntakeFunctionRole", "secretsmanager:PutSecretValue", "arn:aws:secretsmanager:us-east-1:1:secret:x"),
)
def kept_credentials_are_watched(template: Template) -> list[str]:
    """The account goes on by its old token for weeks, and then is dead: nothing else would tell in time."""
    writers = {
        function["Properties"]["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]
        for function in functions(template).values()
        for action, _, _ in granted(role_of(template, function))
        if action == "secretsmanager:PutSecretValue"
    }
    return _missing(template, {(f"oms-{stage_of(template)}", "CredentialsNotKept", name) for name in writers})


@rule(
    "An alarm hears of a single message that a channel does not take",
    removes("ChannelsUntoldAlarm"),
    sets("ChannelsUntoldAlarm", "Period", 300),
    sets("ChannelsUntoldAlarm", "EvaluationPeriods", 3),
)
def untold_messages_are_watched(template: Template) -> list[str]:
    """Such a message is tried each quarter of an hour: in between there is nothing to measure, which is no breach."""
    tries = 2 * LONGEST_SECONDS
    found = [a for a in alarms(template).values() if a["MetricName"] == "MessagesWaitSeconds"]
    heard = any(a["Statistic"] == "Maximum" and a["Period"] >= tries and a["EvaluationPeriods"] == 1 for a in found)
    return [] if heard else ["nobody hears of a message that a channel does not take"]


@rule(
    "An alarm watches stock that nobody can have: promised twice, or held for carts that are gone",
    removes("OversoldUnitsAlarm"),
    sets("ReservationsNotExpiredAlarm", "Dimensions.0.Value", "queue_stock"),
)
def stuck_stock_is_watched(template: Template) -> list[str]:
    """No message fails there, so nothing else would tell."""
    namespace = f"oms-{stage_of(template)}"
    wanted = {("OversoldUnits", "queue_stock"), ("ReservationsNotExpired", "schedule_expiry")}
    return _missing(template, {(namespace, metric, service) for metric, service in wanted})


@rule(
    "An alarm watches the errors of every function, and of the API",
    removes("ApiServerErrorsAlarm"),
    removes("QueueIntakeErrorsAlarm"),
    sets("TaskAwaitErrorsAlarm", "MetricName", "Throttles"),
)
def errors_are_watched(template: Template) -> list[str]:
    """A new function that nobody added here is a function that fails in silence."""
    names = [f["Properties"]["FunctionName"] for f in functions(template).values()]
    wanted = {("AWS/Lambda", "Errors", name) for name in names} | {("AWS/ApiGateway", "5xx", "HttpApi")}
    return _missing(template, wanted)


@rule(
    "Every alarm reaches the topic and says what to do",
    sets("IntakeDeadLettersAlarm", "AlarmActions", []),
    removes("ExecutionsFailedAlarm", "AlarmDescription"),
    sets("ApiServerErrorsAlarm", "TreatMissingData", "breaching"),
)
def alarms_reach_somebody(template: Template) -> list[str]:
    """No traffic is no alarm."""
    wrong = []
    for name, alarm in alarms(template).items():
        if not alarm.get("AlarmActions") or "alarms" not in alarm["AlarmActions"][0]:
            wrong.append(f"{name} reaches nobody")
        if len(alarm.get("AlarmDescription", "")) < 20:
            wrong.append(f"{name} does not say what to do")
        if alarm.get("TreatMissingData") != "notBreaching":
            wrong.append(f"{name} rings when nothing happens")
    return wrong
