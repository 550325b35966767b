"""A stage called `test` in moto: every table of the template, the queues and secrets, and a small company in it."""

from __future__ import annotations

import functools
import importlib.util
import json
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from botocore.exceptions import ClientError
from samcli.yamlhelper import yaml_parse

from oms.domain.catalog import ChannelAccount, KitComponent, Location, LocationStatus, Policy, Product
from oms.domain.order import Order
from oms.domain.stock import StockPosition
from oms.runtime import clients
from oms.stores.attribute_values import from_item, to_item
from oms.stores.documents import from_document, to_document
from tests.unit.rate_cards import small_card

ROOT = Path(__file__).parents[2]
ACCOUNT_ID = "123456789012"
REGION = "us-east-1"
PREFIX = "oms-test-"
QUEUES = ("intake", "allocation", "fulfillment", "outbound", "stock", "poll", "channels")
HASH_KEY = "the-key-of-the-hashes-in-tests"
SIGNING_SECRET = "whsec_c2lnbmluZyBzZWNyZXQgb2YgdGhlIHRlc3Rz"
MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT_ID}:stateMachine:oms-test-order-lifecycle"

POLICY = Policy(cancel_window_seconds=0)
PRODUCTS = (
    Product(sku="MUG", title="Mug", grams=350),
    Product(sku="BOWL", title="Bowl", grams=480),
    Product(sku="KETTLE", title="Kettle", grams=1650),
    Product(sku="SET", title="Two mugs", kit_components=(KitComponent(sku="MUG", quantity=2),)),
    Product(sku="HAMPER", title="Two sets", kit_components=(KitComponent(sku="SET", quantity=2),)),
)
LOCATIONS = (
    Location(location_id="WH-EAST", status=LocationStatus.ACTIVE, country="US", region="NJ", carriers=("ups",)),
    Location(location_id="WH-WEST", status=LocationStatus.ACTIVE, country="US", region="NV", carriers=("ups",)),
)
ACCOUNTS = ("shopify#main", "web#main", "phone#main", "pos#main")
STOCK = {("MUG", "WH-EAST"): 10, ("MUG", "WH-WEST"): 5, ("BOWL", "WH-EAST"): 3, ("KETTLE", "WH-WEST"): 4}

SETTINGS = {
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
    "STAGE": "test",
    "TABLE_PREFIX": PREFIX,
    "POWERTOOLS_SERVICE_NAME": "test",
    "POWERTOOLS_METRICS_NAMESPACE": "oms",
    "POWERTOOLS_LOG_LEVEL": "INFO",
    "CALL_RECORDER_DIRECTORY": "",
    "INBOX_BUCKET": f"oms-test-inbox-{ACCOUNT_ID}",
    "EVENT_BUS_NAME": "oms-test",
    "ORDER_LIFECYCLE_ARN": MACHINE,
    **{
        f"{name.upper()}_QUEUE_URL": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT_ID}/oms-test-{name}"
        for name in QUEUES
    },
}
"""What the template's environment variables are in this stage."""


@dataclass
class LambdaContext:
    """What Lambda passes beside the event."""

    function_name: str = "oms-test-function"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:oms-test-function"
    aws_request_id: str = "request-1"
    remaining_millis: int = 10_000

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_millis


@dataclass
class Stage:
    """The running stage: look into its tables, put things there, load its functions."""

    faults: list[tuple[Any, str, Any]] = field(default_factory=list)

    def function(self, name: str) -> ModuleType:
        """A fresh copy of a function's module, as a new worker has it, with nothing remembered."""
        spec = importlib.util.spec_from_file_location(f"functions.{name}.app", ROOT / "functions" / name / "app.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    def put(self, table: str, item: Any, **more: Any) -> None:
        """Writes a dataclass or mapping as an item, with the attributes that only the table knows."""
        clients.client("dynamodb").put_item(TableName=PREFIX + table, Item=to_item(to_document(item) | more))

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Everything in a table, by key."""
        answer = clients.client("dynamodb").scan(TableName=PREFIX + table)
        assert "LastEvaluatedKey" not in answer
        return sorted((from_item(item) for item in answer["Items"]), key=lambda row: json.dumps(row, sort_keys=True))

    def order(self, order_id: str) -> Order:
        """The order as it lies in its table."""
        answer = clients.client("dynamodb").get_item(TableName=f"{PREFIX}orders", Key={"order_id": {"S": order_id}})
        return from_document(Order, from_item(answer["Item"]))

    def position(self, sku: str, location_id: str) -> StockPosition:
        """A stock position as it lies in its table."""
        key = {"sku": {"S": sku}, "location_id": {"S": location_id}}
        answer = clients.client("dynamodb").get_item(TableName=f"{PREFIX}stock", Key=key)
        return from_document(StockPosition, from_item(answer["Item"]))

    def messages(self, queue: str) -> list[dict[str, Any]]:
        """Takes the bodies of the messages in a queue, oldest first."""
        sqs, url = clients.client("sqs"), SETTINGS[f"{queue.upper()}_QUEUE_URL"]
        taken: list[dict[str, Any]] = []
        for _ in range(100):
            answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
            if not answer.get("Messages"):
                return taken
            for message in answer["Messages"]:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                taken.append(json.loads(message["Body"]))
        raise AssertionError("the queue does not run empty")

    def fail(self, service: str, operation: str, code: str, *, times: int = 1_000) -> None:
        """The next calls of an operation (`dynamodb`, `PutItem`) fail with an error of the service, unwritten."""
        left = [times]

        def refuse(**_: Any) -> None:
            if left[0] > 0:
                left[0] -= 1
                raise ClientError({"Error": {"Code": code, "Message": "not now"}}, operation)

        self.hook(service, f"before-call.{service}.{operation}", refuse)

    def lose_answer(self, service: str, operation: str, code: str = "InternalServerError") -> None:
        """The next call of an operation is carried out, but its answer is lost."""
        left = [1]

        def lose(**_: Any) -> None:
            if left[0] > 0:
                left[0] -= 1
                raise ClientError({"Error": {"Code": code, "Message": "lost"}}, operation)

        self.hook(service, f"after-call.{service}.{operation}", lose)

    def hook(self, service: str, event: str, hook: Any) -> None:
        """Calls `hook` at an event of a service's client, such as `before-call.dynamodb.PutItem`."""
        events = clients.client(service).meta.events
        events.register(event, hook)
        self.faults.append((events, event, hook))

    def mend(self) -> None:
        """Ends all faults."""
        for events, event, hook in self.faults:
            events.unregister(event, hook)
        self.faults.clear()


@functools.cache
def template() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text("utf-8"))
    return parsed


def make_tables() -> None:
    """The tables of template.yaml with their keys and indexes."""
    dynamodb = clients.client("dynamodb")
    wanted = ("AttributeDefinitions", "KeySchema", "BillingMode", "GlobalSecondaryIndexes")
    for resource in template()["Resources"].values():
        if resource["Type"] == "AWS::DynamoDB::Table":
            properties = resource["Properties"]
            name = properties["TableName"]["Fn::Sub"].replace("${Stage}", "test")
            dynamodb.create_table(TableName=name, **{key: properties[key] for key in wanted if key in properties})


def make_services() -> None:
    """Queues, bucket, event bus, state machine and secrets."""
    for name in QUEUES:
        clients.client("sqs").create_queue(QueueName=f"oms-test-{name}")
    clients.client("s3").create_bucket(Bucket=SETTINGS["INBOX_BUCKET"])
    clients.client("events").create_event_bus(Name=SETTINGS["EVENT_BUS_NAME"])
    definition = json.dumps({"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 1, "End": True}}})
    role = f"arn:aws:iam::{ACCOUNT_ID}:role/lifecycle"
    clients.client("stepfunctions").create_state_machine(
        name="oms-test-order-lifecycle", definition=definition, roleArn=role
    )
    secrets = {"contacts/hash-key": HASH_KEY}
    signing = json.dumps({"signing_secrets": [SIGNING_SECRET]})
    secrets |= {f"warehouses/{one.location_id}": signing for one in LOCATIONS}
    secrets |= {"channels/shopify/main": signing, "carriers/easypost/main": signing}
    for name, text in secrets.items():
        clients.client("secretsmanager").create_secret(Name=f"oms/test/{name}", SecretString=text)


def seed(stage: Stage) -> None:
    """Products, locations, settings and stock of a company with two warehouses."""
    for product in PRODUCTS:
        stage.put("products", product)
    for location in LOCATIONS:
        stage.put("locations", location, endpoint_url=f"http://127.0.0.1:9/{location.location_id}")
    for account in ACCOUNTS:
        stage.put("settings", ChannelAccount(currencies=("USD",)), kind="channel_account", name=account)
    stage.put("settings", POLICY, kind="policy", name="active")
    stage.put("settings", small_card(), kind="rate_card", name="small#1")
    for (sku, location_id), units in STOCK.items():
        stage.put("stock", StockPosition(sku=sku, location_id=location_id, on_hand=units, available=units))


def cases(function: str) -> list[str]:
    """The names of the function's sample events."""
    return sorted(path.stem for path in (ROOT / "events" / function).glob("*.json"))


def sample(function: str, case: str) -> dict[str, Any]:
    """One sample event."""
    event: dict[str, Any] = json.loads((ROOT / "events" / function / f"{case}.json").read_text("utf-8"))
    return event
