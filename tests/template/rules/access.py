"""Rules about roles: one per function, exact actions on exact resources, nothing else."""

from __future__ import annotations

import re
from collections import Counter

from tests.template.expanded import (
    Template,
    as_list,
    functions,
    granted,
    mappings,
    of_type,
    properties,
    role_of,
    stage_of,
    statements,
    stream_mappings,
)
from tests.template.registry import Breaker, grants, removes, revokes, rule, sets

MANAGED = {
    "AWSLambdaBasicExecutionRole",
    "AWSXrayWriteOnlyAccess",
    "AWSLambdaSQSQueueExecutionRole",
    "AWSLambdaDynamoDBExecutionRole",
}
"""SAM's own: logs, X-Ray, pollers of queues and of streams."""

WILDCARDS = (
    r"arn:aws:secretsmanager:[^:]+:\d+:secret:oms/\w+/(channels|carriers|warehouses)/\*",
    r"arn:aws:secretsmanager:[^:]+:\d+:secret:oms/\w+/channels/(ebay|etsy)/\*",
    r"arn:aws:secretsmanager:[^:]+:\d+:secret:oms/\w+/contacts/hash-key-\?{6}",
    r"arn:aws:s3:::oms-\w+-(inbox|stream-failures)-\d+/(snapshots/)?\*",
    r"arn:aws:states:[^:]+:\d+:execution:oms-\w+-order-lifecycle:\*",
)
"""Resources that may end in a wildcard: accounts are data, Secrets Manager adds six characters to a name,
objects and executions have no names beforehand."""

LOG_DELIVERY = re.compile(r"logs:\w*(LogDelivery|LogDeliveries|ResourcePolicy|ResourcePolicies|LogGroups)")
"""Log delivery of the state machine: AWS knows no resource for it."""

ANSWERS = frozenset({"states:SendTaskSuccess", "states:SendTaskFailure"})
"""MiniStack can't tell the state machine behind a token and checks "*"; AWS can and does."""

REFRESHED = "arn:aws:secretsmanager:us-east-1:111122223333:secret:oms/prod/channels/{}/*"
ORDERS_ARN = "arn:aws:dynamodb:us-east-1:111122223333:table/oms-prod-orders"


def _share_a_role(template: Template) -> None:
    role = properties(template, "ApiOrdersFunction")["Role"]
    properties(template, "ApiStockFunction")["Role"] = role


def _managed(role: str, name: str) -> Breaker:
    def apply(template: Template) -> None:
        properties(template, role)["ManagedPolicyArns"].append(f"arn:aws:iam::aws:policy/{name}")

    return Breaker(f"{role} with {name}", apply)


def _unmanaged(role: str, name: str) -> Breaker:
    def apply(template: Template) -> None:
        arns = properties(template, role)["ManagedPolicyArns"]
        arns.remove(next(arn for arn in arns if arn.endswith(name)))

    return Breaker(f"{role} without {name}", apply)


def _without_policy(role: str, policy: str) -> Breaker:
    def apply(template: Template) -> None:
        policies = properties(template, role)["Policies"]
        policies.remove(next(found for found in policies if found["PolicyName"] == policy))

    return Breaker(f"{role} without {policy}", apply)


@rule("Every function has its own role", Breaker("two functions with one role", _share_a_role))
def roles_are_not_shared(template: Template) -> list[str]:
    """A shared role is the sum of what its holders need."""
    roles = Counter(str(h["Properties"].get("Role")) for h in functions(template).values())
    return [f"{role} is shared by {count} functions" for role, count in roles.items() if count > 1]


@rule(
    "No role allows an action by a wildcard",
    grants("ApiStockFunctionRole", "dynamodb:*", ORDERS_ARN),
    grants("ApiStockFunctionRole", ["dynamodb:Get*"], ORDERS_ARN),
)
def actions_are_exact(template: Template) -> list[str]:
    """What a function does is written down, and a test compares it with what it did."""
    return [
        f"{name} allows {action}"
        for name, role in of_type(template, "AWS::IAM::Role").items()
        for action, _, _ in granted(role)
        if "*" in action or "?" in action
    ]


@rule(
    "No role names a resource by a wildcard, but for accounts, objects, executions and log delivery",
    grants("ApiStockFunctionRole", "dynamodb:Query", "*"),
    grants("ApiStockFunctionRole", "dynamodb:Query", ORDERS_ARN + "/index/*"),
    grants(
        "WebhookCarrierFunctionRole",
        "secretsmanager:GetSecretValue",
        "arn:aws:secretsmanager:us-east-1:1:secret:*",
    ),
    grants("ApiStockFunctionRole", "logs:CreateLogDelivery", "*"),
    grants("QueueAllocationFunctionRole", "states:SendTaskSuccess", "*"),
)
def resources_are_exact(template: Template) -> list[str]:
    """A table has no neighbours that its name could match."""
    return [
        f"{name} allows {action} on {resource}"
        for name, role in of_type(template, "AWS::IAM::Role").items()
        for action, resource, _ in granted(role)
        if ("*" in resource or "?" in resource)
        and not any(re.fullmatch(pattern, resource) for pattern in WILDCARDS)
        and not (resource == "*" and name == "OrderLifecycleRole" and LOG_DELIVERY.fullmatch(action))
        and not (resource == "*" and action in ANSWERS and stage_of(template) == "local")
    ]


@rule(
    "Secrets are written only where channels change refresh tokens, by who calls channels",
    grants("QueueIntakeFunctionRole", "secretsmanager:PutSecretValue", REFRESHED.format("etsy")),
    grants("QueuePollFunctionRole", "secretsmanager:PutSecretValue", REFRESHED.format("shopify")),
    grants("QueuePollFunctionRole", "secretsmanager:UpdateSecret", REFRESHED.format("etsy")),
    revokes("QueueChannelsFunctionRole", "ChannelTokens"),
)
def secrets_are_rarely_written(template: Template) -> list[str]:
    """Who may write a secret may sign in as somebody else. Who signs in and may not write loses the account."""
    stage = stage_of(template)
    wanted = {
        (f"{name}FunctionRole", "secretsmanager:PutSecretValue", f"secret:oms/{stage}/channels/{channel}/*")
        for name in ("QueuePoll", "QueueChannels", "SchedulePublishStock")
        for channel in ("ebay", "etsy")
    }
    found = {
        (name, action, resource.split(":", 5)[-1])
        for name, role in of_type(template, "AWS::IAM::Role").items()
        for action, resource, _ in granted(role)
        if action.startswith("secretsmanager:") and action != "secretsmanager:GetSecretValue"
    }
    return [f"{name}: {action} on {resource}" for name, action, resource in sorted(wanted ^ found)]


@rule(
    "Managed policies are only those for logs, traces and pollers",
    _managed("ApiStockFunctionRole", "AmazonDynamoDBFullAccess"),
)
def managed_policies_are_few(template: Template) -> list[str]:
    """AWS changes them as it likes."""
    return [
        f"{name} uses {arn}"
        for name, role in of_type(template, "AWS::IAM::Role").items()
        for arn in role["Properties"].get("ManagedPolicyArns", [])
        if arn.rsplit("/", 1)[1] not in MANAGED
    ]


@rule(
    "Roles say what is allowed, never what is all but allowed",
    Breaker(
        "everything but one action",
        lambda t: properties(t, "ApiStockFunctionRole")["Policies"][-1]["PolicyDocument"]["Statement"].append(
            {"Effect": "Allow", "NotAction": "iam:PassRole", "Resource": ORDERS_ARN}
        ),
    ),
)
def statements_are_positive(template: Template) -> list[str]:
    """NotAction and NotResource grant whatever AWS invents next."""
    return [
        f"{name} has a statement by exclusion"
        for name, role in of_type(template, "AWS::IAM::Role").items()
        for statement in statements(role)
        if {"NotAction", "NotResource"} & statement.keys()
    ]


@rule(
    "Every poller may read what it polls",
    _unmanaged("QueueIntakeFunctionRole", "AWSLambdaSQSQueueExecutionRole"),
    _unmanaged("StreamOrdersFunctionRole", "AWSLambdaDynamoDBExecutionRole"),
)
def pollers_may_read(template: Template) -> list[str]:
    """A mapping polls with its function's role; without the right it stays silent."""
    wrong = []
    for name, mapping in mappings(template).items():
        is_stream = name in stream_mappings(template)
        needed = "AWSLambdaDynamoDBExecutionRole" if is_stream else "AWSLambdaSQSQueueExecutionRole"
        function = next(
            f
            for f in functions(template).values()
            if f["Properties"]["FunctionName"] == mapping["Properties"]["FunctionName"]
        )
        arns = role_of(template, function)["Properties"]["ManagedPolicyArns"]
        if not any(arn.endswith("/" + needed) for arn in arns):
            wrong.append(f"{name} may not read its source")
    return wrong


@rule(
    "Every reader of a stream may keep what it gives up on",
    _without_policy("StreamOrdersFunctionRole", "StreamOrdersFunctionOrdersStreamS3Policy"),
    removes("StreamPublishFunctionRole", "Policies.1.PolicyDocument.Statement.1"),
)
def stream_readers_may_keep_failures(template: Template) -> list[str]:
    """Lambda writes to the bucket with the function's role: s3:PutObject and s3:ListBucket (Lambda guide)."""
    wrong = []
    for name, mapping in stream_mappings(template).items():
        bucket = mapping["Properties"].get("DestinationConfig", {}).get("OnFailure", {}).get("Destination", "none")
        role_name = name.split("Function")[0] + "FunctionRole"
        rights = {(action, resource) for action, resource, _ in granted(template["Resources"][role_name])}
        if not {("s3:PutObject", f"{bucket}/*"), ("s3:ListBucket", bucket)} <= rights:
            wrong.append(f"{name} may not write to {bucket}")
    return wrong


@rule(
    "The state machine may ask for an allocation and call task_await, and nothing else",
    revokes("OrderLifecycleRole", "AskForAllocation"),
    grants("OrderLifecycleRole", "dynamodb:GetItem", ORDERS_ARN),
)
def state_machine_rights_are_two(template: Template) -> list[str]:
    """It is a timer and a picture: it reads and writes no data."""
    rights = {
        (action, resource.rsplit(":", 1)[1].split("-", 2)[-1])
        for action, resource, _ in granted(template["Resources"]["OrderLifecycleRole"])
        if not LOG_DELIVERY.fullmatch(action)
    }
    wanted = {("sqs:SendMessage", "allocation"), ("lambda:InvokeFunction", "task-await")}
    return [f"the state machine's rights differ: {rights ^ wanted}"] if rights != wanted else []


@rule(
    "Secrets are in Secrets Manager, not in the template",
    sets("ApiOrdersFunction", "Environment.Variables.POWERTOOLS_SERVICE_NAME", "hunter2-secret"),
    Breaker(
        "a secret in an environment variable",
        lambda t: properties(t, "ApiOrdersFunction")["Environment"]["Variables"].update(SIGNING_SECRET="hunter2"),
    ),
    Breaker(
        "a secret with its value",
        lambda t: properties(t, "ContactsHashKey").update(SecretString="hunter2"),
    ),
    removes("ContactsHashKey", "GenerateSecretString"),
)
def secrets_are_not_in_the_template(template: Template) -> list[str]:
    """Environment variables and templates are read by everybody who may look at a function."""
    wrong = []
    for name, function in functions(template).items():
        for key, value in function["Properties"]["Environment"]["Variables"].items():
            if re.search("SECRET|PASSWORD|TOKEN|PRIVATE|CREDENTIAL", key) or "secret" in str(value).lower():
                wrong.append(f"{name} holds {key}")
    for name, secret in of_type(template, "AWS::SecretsManager::Secret").items():
        found = secret["Properties"]
        if "SecretString" in found or "GenerateSecretString" not in found:
            wrong.append(f"{name} is written in the template")
    for name, spec in template["Parameters"].items():
        if re.search("Secret|Password|Token", name) and not spec.get("NoEcho"):
            wrong.append(f"parameter {name} is shown")
    return wrong


@rule(
    "Buckets are closed to the public, encrypted, and refuse open connections",
    removes("InboxBucket", "PublicAccessBlockConfiguration"),
    removes("InboxBucketPolicy"),
    sets(
        "InboxBucket",
        "BucketEncryption.ServerSideEncryptionConfiguration.0.ServerSideEncryptionByDefault.SSEAlgorithm",
        "AES256",
    ),
    removes("StreamFailuresBucket", "LifecycleConfiguration"),
    stages=("dev", "prod"),  # a laptop's AWS speaks plain HTTP
)
def buckets_are_closed(template: Template) -> list[str]:
    """The inbox holds people's data: own key; both forget by themselves."""
    wrong = []
    policies = of_type(template, "AWS::S3::BucketPolicy").values()
    guarded = {policy["Properties"]["Bucket"] for policy in policies}
    for name, bucket in of_type(template, "AWS::S3::Bucket").items():
        found = bucket["Properties"]
        block = found.get("PublicAccessBlockConfiguration", {})
        if [block.get(key) for key in sorted(block)] != [True] * 4:
            wrong.append(f"{name} is not closed")
        rules = as_list(found["BucketEncryption"]["ServerSideEncryptionConfiguration"])
        algorithm = rules[0]["ServerSideEncryptionByDefault"]["SSEAlgorithm"]
        if algorithm != ("aws:kms" if name == "InboxBucket" else "AES256"):
            wrong.append(f"{name} is encrypted by {algorithm}")
        if found["BucketName"] not in guarded:
            wrong.append(f"{name} accepts open connections")
        if not found.get("LifecycleConfiguration", {}).get("Rules"):
            wrong.append(f"{name} keeps everything for ever")
    return wrong
