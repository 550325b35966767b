"""Every call that the handlers made against every permission that their roles have: nothing missing, nothing idle.

The calls are those of all end-to-end tests before this one, written down by the handlers themselves; the permissions
are those of the expanded template. Roles are enforced while the tests run, so a missing one also fails its flow.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tests.template import expanded

ACCOUNT_ID = "000000000000"
REGION = "us-east-1"

ALL_TESTS = frozenset(Path(__file__).parent.glob("test_*.py"))
"""As they were when tests began: a file that is added while they run could not have been driven."""

Use = tuple[str, str, str]
"""Function (name of its folder), action, ARN of the resource, or the pattern of it that a role names."""

MADE_BY_AWS = {
    ("kms:*", "*"): "AWS uses the key for the function, inside calls on tables, queues and buckets that are encrypted",
    ("s3:PutObject", "arn:aws:s3:::oms-local-inbox-*/snapshots/*"): "who was given the address uploads under its role",
    ("s3:*", "arn:aws:s3:::oms-local-stream-failures-*"): "the poller writes there what it gave up on (added by SAM)",
    ("sqs:SendMessage", "*:oms-local-schedule-dlq"): "the scheduler puts there what it could not invoke (added by SAM)",
}
"""(action, resource) of permissions that AWS uses under a function's role, with who does and when."""

RARE = {
    ("dynamodb:PutItem", "*:table/oms-local-order_history"): (
        "a document of 300 KB moves its oldest events; driven for api_orders, the others write through the same store"
    ),
    ("dynamodb:UpdateItem", "*:table/oms-local-capacity"): (
        "who frees all units of a parcel gives its place back; driven for queue_allocation, the others write alike"
    ),
    ("dynamodb:DeleteItem", "*:table/oms-local-backorders"): (
        "who goes to review waits no more; driven for the API, the stream and the sweep, the others write alike"
    ),
    ("dynamodb:GetItem", "*:table/oms-local-routing_decisions"): (
        "a decision is looked up by itself where an order was routed more often than one list shows"
    ),
    (
        "secretsmanager:PutSecretValue",
        "*",
    ): "a channel gives a new refresh token; none of these has an eBay or Etsy shop",
    ("sqs:ChangeMessageVisibility", "*"): (
        "a fetch comes again later where a channel did not answer; what is told goes by MiniStack's name for many"
    ),
    ("dynamodb:Query", "*:table/oms-local-order_history"): (
        "a channel is told of a parcel whose event has moved out of a document of 300 KB"
    ),
    ("sqs:SendMessage", "*:oms-local-poll"): (
        "a message that tells too little has the order fetched; WooCommerce and Amazon tell all of it"
    ),
    ("dynamodb:PutItem", "*:table/oms-local-quarantine"): (
        "an order that was asked for and is gone, or a person's wish; driven for queue_intake"
    ),
    ("dynamodb:Scan", "*:table/oms-local-locations"): (
        "a sale over the counter that is imported must have left a location of ours; driven for api_orders"
    ),
    ("dynamodb:UpdateItem", "*:table/oms-local-contacts"): (
        "a person who is forgotten while their order is open goes when it ends; driven for schedule_expiry"
    ),
    ("s3:PutObject", "*"): "a pulled order too large for a queue; driven for webhook_storefront",
    ("sqs:SendMessageBatch", "*"): "what MiniStack calls the sqs:SendMessage of many messages at once",
    ("dynamodb:GetItem", "*:table/oms-local-idempotency"): (
        "Powertools reads a record by itself only where DynamoDB did not send it along with the refused write"
    ),
}
"""(action, resource) of permissions that some functions need for what these tests do not bring about in each."""

PREFIXES = {
    "dynamodb": f"arn:aws:dynamodb:{REGION}:{ACCOUNT_ID}:table/",
    "sqs": f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:",
    "s3": "arn:aws:s3:::",
    "events": f"arn:aws:events:{REGION}:{ACCOUNT_ID}:event-bus/",
}
MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT_ID}:stateMachine:oms-local-order-lifecycle"


@pytest.fixture(scope="module")
def used(request: pytest.FixtureRequest, calls_folder: Path) -> set[Use]:
    """What the handlers did in all tests of this folder."""
    ran = {item.path for item in request.session.items}
    if not ran >= ALL_TESTS:
        pytest.skip("what is idle can be told only after all end-to-end tests: run `make e2e`")
    return {
        (record["function"], record["action"], arn(record["action"], record["resource"]))
        for path in sorted(calls_folder.glob("*.jsonl"))
        for record in map(json.loads, path.read_text().splitlines())
        if record["kind"] == "call"
    }


@pytest.fixture(scope="module")
def granted() -> set[Use]:
    """What the roles of the expanded template allow."""
    return set(_granted())


def _granted() -> Iterator[Use]:
    template = expanded.expand("local", account_id=ACCOUNT_ID, region=REGION)
    for function in expanded.functions(template).values():
        name = function["Properties"]["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]
        for action, resource, _ in expanded.granted(expanded.role_of(template, function)):
            yield name, action, resource


def arn(action: str, resource: str) -> str:
    """The ARN of what a call names as its API does: a table, an address of a queue, a bucket with its key."""
    service = action.partition(":")[0]
    if service == "secretsmanager":
        # AWS appends six characters of its own to a secret's name.
        return f"arn:aws:secretsmanager:{REGION}:{ACCOUNT_ID}:secret:{resource}-abcdef"
    if service == "states":
        return resource or MACHINE  # a task token belongs to the one state machine
    name = resource.rsplit("/", 1)[-1] if service == "sqs" else resource
    return PREFIXES[service] + name


def allows(grant: Use, use: Use) -> bool:
    """Whether a permission covers a call."""
    return grant[:2] == use[:2] and fnmatchcase(use[2], grant[2])


def is_named(grant: Use, exceptions: dict[tuple[str, str], str]) -> bool:
    """Whether a permission is one of the named exceptions."""
    return any(fnmatchcase(grant[1], action) and fnmatchcase(grant[2], place) for action, place in exceptions)


def test_every_call_a_handler_makes_is_permitted_by_its_role(used: set[Use], granted: set[Use]) -> None:
    missing = sorted(use for use in used if not any(allows(grant, use) for grant in granted))
    assert missing == []


def test_every_permission_of_a_role_is_used_or_named_with_its_reason(used: set[Use], granted: set[Use]) -> None:
    unused = [grant for grant in granted if not any(allows(grant, use) for use in used)]
    assert sorted(grant for grant in unused if not is_named(grant, MADE_BY_AWS | RARE)) == []


def test_every_function_was_driven(used: set[Use], granted: set[Use]) -> None:
    assert {name for name, _, _ in used} == {name for name, _, _ in granted}


def test_no_exception_is_named_in_vain(used: set[Use], granted: set[Use]) -> None:
    unused = [grant for grant in granted if not any(allows(grant, use) for use in used)]
    for exception, reason in (MADE_BY_AWS | RARE).items():
        assert reason
        assert any(is_named(grant, {exception: reason}) for grant in unused), exception


def test_no_call_was_denied(calls_folder: Path, used: set[Use]) -> None:
    lines = [line for path in calls_folder.glob("*.jsonl") for line in path.read_text().splitlines()]
    denied = [record for record in map(json.loads, lines) if record.get("status") in (401, 403)]
    assert denied == []
    assert used
