"""Rules about functions: platform, names, logs, traces, limits."""

from __future__ import annotations

import re
from typing import Any

from tests.template.expanded import Template, functions, of_type, properties
from tests.template.registry import Breaker, adds, removes, rule, sets

LIMITS = {
    "AWS::Lambda::Function": ("FunctionName", 64),
    "AWS::SQS::Queue": ("QueueName", 80),
    "AWS::StepFunctions::StateMachine": ("StateMachineName", 80),
    "AWS::Scheduler::Schedule": ("Name", 64),
    "AWS::S3::Bucket": ("BucketName", 63),
    "AWS::Events::Rule": ("Name", 64),
    "AWS::Cognito::UserPoolDomain": ("Domain", 63),
    "AWS::DynamoDB::Table": ("TableName", 255),
    "AWS::CloudWatch::Alarm": ("AlarmName", 255),
}
"""Longest names that AWS accepts, by type; MiniStack accepts any."""


def _rename(template: Template) -> None:
    resources = template["Resources"]
    resources["IntakeWorkerFunction"] = resources.pop("QueueIntakeFunction")


def folder_of(logical_id: str) -> str:
    """QueueIntakeFunction is the code in functions/queue_intake."""
    return re.sub(r"(?<!^)([A-Z])", r"_\1", logical_id.removesuffix("Function")).lower()


@rule(
    "Every function runs on arm64 and Python 3.13",
    sets("QueueIntakeFunction", "Architectures", ["x86_64"]),
    sets("TaskAwaitFunction", "Runtime", "python3.12"),
)
def platform_is_one(template: Template) -> list[str]:
    """The layers are built for this one platform."""
    return [
        f"{name} runs elsewhere"
        for name, function in functions(template).items()
        if (function["Properties"]["Runtime"], function["Properties"].get("Architectures")) != ("python3.13", ["arm64"])
    ]


@rule(
    "Folder, logical id, physical name and service name of a function are one name",
    Breaker("another logical id", _rename),
    sets("QueueIntakeFunction", "FunctionName", "oms-prod-intake-worker"),
    sets("QueueIntakeFunction", "Code.S3Key", "functions/queue_allocation"),
    sets("QueueIntakeFunction", "Environment.Variables.POWERTOOLS_SERVICE_NAME", "intake"),
    sets("QueueIntakeFunction", "Handler", "main.run"),
)
def names_are_one(template: Template) -> list[str]:
    """Who sees a name in a log finds the code, and the other way round."""
    wrong = []
    for name, function in functions(template).items():
        found, folder = function["Properties"], folder_of(name)
        if found["Code"]["S3Key"] != f"functions/{folder}":
            wrong.append(f"{name} runs {found['Code']['S3Key']}")
        if found["FunctionName"].split("-", 2)[2] != folder.replace("_", "-"):
            wrong.append(f"{name} is named {found['FunctionName']}")
        if found["Environment"]["Variables"].get("POWERTOOLS_SERVICE_NAME") != folder:
            wrong.append(f"{name} logs under another name")
        if found["Handler"] != "app.handler":
            wrong.append(f"{name} has another entry point")
    return wrong


@rule(
    "Every function writes to its own log group, whose entries expire",
    removes("QueueIntakeLogGroup", "RetentionInDays"),
    sets("ApiStockFunction", "LoggingConfig.LogGroup", "/aws/lambda/oms-prod-api-orders"),
    removes("TaskAwaitFunction", "LoggingConfig"),
)
def logs_expire(template: Template) -> list[str]:
    """A log group that Lambda makes by itself is kept, and paid, for ever."""
    groups = {g["Properties"]["LogGroupName"]: g for g in of_type(template, "AWS::Logs::LogGroup").values()}
    wrong = [f"{name} is kept for ever" for name, g in groups.items() if not g["Properties"].get("RetentionInDays")]
    for name, function in functions(template).items():
        found = function["Properties"]
        group = found.get("LoggingConfig", {}).get("LogGroup")
        if group != f"/aws/lambda/{found['FunctionName']}" or group not in groups:
            wrong.append(f"{name} logs to {group}")
    return wrong


@rule(
    "Every function is traced",
    removes("QueueAllocationFunction", "TracingConfig"),
    sets("ApiOrdersFunction", "TracingConfig.Mode", "PassThrough"),
)
def functions_are_traced(template: Template) -> list[str]:
    """Active tracing in the template, no tracer in the code."""
    return [
        f"{name} is not traced"
        for name, function in functions(template).items()
        if function["Properties"].get("TracingConfig", {}).get("Mode") != "Active"
    ]


@rule(
    "No function reserves concurrency",
    adds("QueueIntakeFunction", "ReservedConcurrentExecutions", 5),
)
def concurrency_is_not_reserved(template: Template) -> list[str]:
    """A reserved worker behind a queue throttles its own poller; MaximumConcurrency bounds it instead."""
    return [
        f"{name} reserves concurrency"
        for name, function in functions(template).items()
        if "ReservedConcurrentExecutions" in function["Properties"]
    ]


@rule(
    "Calls are recorded only on a laptop",
    sets("ApiOrdersFunction", "Environment.Variables.CALL_RECORDER_DIRECTORY", "/tmp/calls"),  # noqa: S108
    stages=("dev", "prod"),
)
def calls_are_not_recorded(template: Template) -> list[str]:
    """The recorder is for tests and the demonstration."""
    return [
        f"{name} records its calls"
        for name, function in functions(template).items()
        if function["Properties"]["Environment"]["Variables"].get("CALL_RECORDER_DIRECTORY")
    ]


@rule(
    "Names fit AWS's limits and start with the system and its stage",
    sets("QueueIntakeFunction", "FunctionName", "oms-prod-" + "x" * 60),
    sets("IntakeQueue", "QueueName", "oms-prod-" + "x" * 80),
    sets("OrderLifecycle", "StateMachineName", "oms-prod-" + "x" * 80),
    sets("OrdersTable", "TableName", "orders"),
)
def names_fit(template: Template) -> list[str]:
    """Two stages can live in one account."""
    wrong = []
    for kind, (key, longest) in LIMITS.items():
        for logical_id, resource in of_type(template, kind).items():
            name: str = resource["Properties"].get(key, "")
            if not re.match(r"oms-(local|dev|prod)-", name) or len(name) > longest:
                wrong.append(f"{logical_id} is named {name!r}")
    return wrong


@rule(
    "Every function gets the stage, the tables' prefix, and both layers",
    removes("QueueIntakeFunction", "Environment.Variables.TABLE_PREFIX"),
    sets("ApiStockFunction", "Layers", []),
)
def functions_get_the_common_settings(template: Template) -> list[str]:
    """Settings are read in one place; a function without them fails at its first event."""
    wrong = []
    for name, function in functions(template).items():
        variables: dict[str, Any] = function["Properties"]["Environment"]["Variables"]
        if variables.get("TABLE_PREFIX") != f"oms-{variables.get('STAGE')}-":
            wrong.append(f"{name} does not know its tables")
        layers = sorted(layer[:8] for layer in function["Properties"].get("Layers", []))
        if layers != ["DepsLaye", "OmsLayer"]:
            wrong.append(f"{name} has the layers {layers}")
    return wrong


@rule(
    "Every table a function may use is under its own stage",
    Breaker(
        "a role that reads production",
        lambda t: properties(t, "ApiStockFunctionRole")["Policies"][0]["PolicyDocument"]["Statement"][0].update(
            Resource="arn:aws:dynamodb:us-east-1:111122223333:table/oms-other-stock"
        ),
    ),
)
def stages_are_apart(template: Template) -> list[str]:
    """A laptop or dev role can never name a production table."""
    stage = properties(template, "ApiStockFunction")["Environment"]["Variables"]["STAGE"]
    return [
        f"{name} names another stage"
        for name, role in of_type(template, "AWS::IAM::Role").items()
        for other in re.findall(r"table/oms-(\w+)-", str(role["Properties"].get("Policies", [])))
        if other != stage
    ]
