"""Rules about the contacts key: who touches people's data may use it, through that service only."""

from __future__ import annotations

from typing import Any

from tests.template.expanded import (
    Template,
    as_list,
    function_by_name,
    granted,
    of_type,
    properties,
    queue_by_arn,
    queue_mappings,
    role_of,
)
from tests.template.registry import grants, removes, revokes, rule, sets

CONTEXT = "kms:EncryptionContext:aws:dynamodb:tableName"
KEY_ARN = "arn:aws:kms:us-east-1:111122223333:key/ContactsKey"
CONTACTS_ARN = "arn:aws:dynamodb:us-east-1:111122223333:table/oms-prod-contacts"

READERS_OF_CONTACTS = {
    "QueueIntakeFunctionRole",
    "ApiOrdersFunctionRole",
    "QueueOutboundFunctionRole",
    "ScheduleExpiryFunctionRole",
}
"""Intake and the API write contacts, outbound reads them for labels, expiry purges them; nobody else."""


def _key_rights(role: dict[str, Any], service: str) -> set[str]:
    """Actions that a role may do with the contacts key through a service."""
    return {
        action
        for action, resource, condition in granted(role)
        if resource.endswith("key/ContactsKey")
        and condition.get("StringEquals", {}).get("kms:ViaService", "").startswith(service + ".")
    }


def _tables_by_context(role: dict[str, Any]) -> set[str]:
    """Tables whose data a role may decrypt."""
    return {
        table
        for action, resource, condition in granted(role)
        if action == "kms:Decrypt" and resource.endswith("key/ContactsKey")
        for table in as_list(condition.get("StringEquals", {}).get(CONTEXT, []))
    }


def _tables_by_rights(template: Template, role: dict[str, Any]) -> set[str]:
    """Tables under the contacts key on which a role may do anything."""
    tables = [t["Properties"] for t in of_type(template, "AWS::DynamoDB::Table").values()]
    guarded = {t["TableName"] for t in tables if "KMSMasterKeyId" in t.get("SSESpecification", {})}
    named = {resource.split(":table/", 1)[1].split("/")[0] for _, resource, _ in granted(role) if ":table/" in resource}
    return named & guarded


@rule(
    "Who may touch a table with people's data may decrypt that table, and nobody else may",
    revokes("QueueOutboundFunctionRole", "PeoplesDataTables"),
    grants("ApiStockFunctionRole", "dynamodb:GetItem", CONTACTS_ARN),
    grants(
        "ApiStockFunctionRole",
        "kms:Decrypt",
        KEY_ARN,
        {
            "StringEquals": {
                "kms:ViaService": "dynamodb.us-east-1.amazonaws.com",
                CONTEXT: "oms-prod-contacts",
            }
        },
    ),
)
def table_rights_and_key_rights_agree(template: Template) -> list[str]:
    """MiniStack does not look at keys: without this the first real deploy would find out."""
    wrong = []
    for name, role in of_type(template, "AWS::IAM::Role").items():
        by_rights, by_context = _tables_by_rights(template, role), _tables_by_context(role)
        if by_rights != by_context:
            wrong.append(f"{name} may use {sorted(by_rights)} but decrypt {sorted(by_context)}")
    return wrong


@rule(
    "The key is used only through one service, never by itself",
    grants("ApiStockFunctionRole", "kms:Decrypt", KEY_ARN),
    grants(
        "WebhookStorefrontFunctionRole",
        "kms:Decrypt",
        KEY_ARN,
        {"StringEquals": {"kms:ViaService": "dynamodb.us-east-1.amazonaws.com"}},
    ),
)
def key_is_used_through_a_service(template: Template) -> list[str]:
    """Through DynamoDB it must also say which table."""
    wrong = []
    for name, role in of_type(template, "AWS::IAM::Role").items():
        for action, _, condition in granted(role):
            service = condition.get("StringEquals", {}).get("kms:ViaService", "")
            if action.startswith("kms:") and not service:
                wrong.append(f"{name} may {action} directly")
            if service.startswith("dynamodb.") and CONTEXT not in condition["StringEquals"]:
                wrong.append(f"{name} may decrypt every table under the key")
    return wrong


@rule(
    "Only intake, the API, outbound and expiry may touch contacts",
    grants("StreamPublishFunctionRole", "dynamodb:GetItem", CONTACTS_ARN),
    grants("ApiStockFunctionRole", "dynamodb:Query", CONTACTS_ARN + "/index/by_email"),
)
def contacts_have_few_readers(template: Template) -> list[str]:
    """The order document, its events and everything published are free of people's data."""
    return [
        f"{name} may {action} on contacts"
        for name, role in of_type(template, "AWS::IAM::Role").items()
        for action, resource, _ in granted(role)
        if "-contacts" in resource.split(":table/")[-1] and ":table/" in resource and name not in READERS_OF_CONTACTS
    ]


@rule(
    "Who polls an encrypted queue may decrypt its messages",
    revokes("QueueIntakeFunctionRole", "PeoplesDataQueue"),
)
def pollers_may_decrypt(template: Template) -> list[str]:
    """The poller uses the function's role: kms:Decrypt (SQS Developer Guide, key management)."""
    wrong = []
    for name, mapping in queue_mappings(template).items():
        queue = queue_by_arn(template, mapping["Properties"]["EventSourceArn"])["Properties"]
        role = role_of(template, function_by_name(template, mapping["Properties"]["FunctionName"]))
        if "KmsMasterKeyId" in queue and "kms:Decrypt" not in _key_rights(role, "sqs"):
            wrong.append(f"{name} may not decrypt its queue")
    return wrong


@rule(
    "Who sends to an encrypted queue may make data keys for it",
    revokes("WebhookStorefrontFunctionRole", "PeoplesDataQueue"),
    grants("WebhookCarrierFunctionRole", "sqs:SendMessage", "arn:aws:sqs:us-east-1:111122223333:oms-prod-intake"),
)
def senders_may_encrypt(template: Template) -> list[str]:
    """A sender needs kms:GenerateDataKey and kms:Decrypt (SQS Developer Guide, key management)."""
    wrong = []
    for name, role in of_type(template, "AWS::IAM::Role").items():
        for action, resource, _ in granted(role):
            if action != "sqs:SendMessage":
                continue
            queue = queue_by_arn(template, resource)["Properties"]
            needed = {"kms:GenerateDataKey", "kms:Decrypt"} if "KmsMasterKeyId" in queue else set()
            if not needed <= _key_rights(role, "sqs"):
                wrong.append(f"{name} cannot send to {queue['QueueName']}")
    return wrong


@rule(
    "Who reads or writes the inbox may use its key",
    revokes("WebhookStorefrontFunctionRole", "PeoplesDataBucket"),
    revokes("QueueIntakeFunctionRole", "PeoplesDataBucket"),
    revokes("ApiStockFunctionRole", "UploadedSnapshotsKey"),
)
def inbox_users_may_use_its_key(template: Template) -> list[str]:
    """Writing needs a data key, reading decrypts one."""
    inbox = properties(template, "InboxBucket")["BucketName"]
    needed = {"s3:PutObject": {"kms:GenerateDataKey"}, "s3:GetObject": {"kms:Decrypt"}}
    return [
        f"{name} cannot use the inbox's key"
        for name, role in of_type(template, "AWS::IAM::Role").items()
        for action, resource, _ in granted(role)
        if resource.startswith(f"arn:aws:s3:::{inbox}/") and not needed[action] <= _key_rights(role, "s3")
    ]


@rule(
    "The key is rotated, kept, and ruled by the account",
    sets("ContactsKey", "EnableKeyRotation", False),
    sets("ContactsKey", "/DeletionPolicy", "Delete"),
    sets("ContactsKey", "KeyPolicy.Statement.0.Principal", "*"),
    removes("ContactsKey", "PendingWindowInDays"),
)
def key_is_kept(template: Template) -> list[str]:
    """Without the key the tables kept after the stack is deleted could not be read."""
    wrong = []
    for name, key in of_type(template, "AWS::KMS::Key").items():
        found = key["Properties"]
        if found.get("EnableKeyRotation") is not True:
            wrong.append(f"{name} is not rotated")
        if key.get("DeletionPolicy") not in {"Retain", "RetainExceptOnCreate"} or "PendingWindowInDays" not in found:
            wrong.append(f"{name} goes with the stack")
        principals = [statement["Principal"] for statement in found["KeyPolicy"]["Statement"]]
        account = {"AWS": "arn:aws:iam::111122223333:root"}
        wrong += [f"{name} is open to {principal}" for principal in principals if principal != account]
    return wrong
