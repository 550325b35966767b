"""Reference data of a small company: products, listings, locations, rates, channel accounts and their secrets.

Putting it again changes nothing: secrets are made once and kept. Stock is `seed_stock`'s.
"""

from __future__ import annotations

import base64
import json
import secrets as randomness
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from oms.channels import registry
from oms.domain.policy_versions import Draft
from oms.domain.routing_policy_form import parse
from oms.stores.attribute_values import to_item
from oms.stores.routing_policies import RoutingPoliciesStore
from oms.usecases.policies import Policies

SEED_DATA = Path(__file__).resolve().parent / "seed_data"
SECRET_BYTES = 32
CARRIER_ACCOUNT = ("easypost", "main")
CREDENTIALS = {
    "woocommerce": ("consumer_key", "consumer_secret"),
    "amazon": ("client_id", "client_secret", "refresh_token"),
}
"""What the stand-ins of these channels want to be signed in with."""

ClientFactory = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Secrets:
    """The newest signing secret of all who sign, by (channel, account), (carrier, account), location_id; what we sign
    in with at channels, by (channel, account)."""

    channels: dict[tuple[str, str], str]
    credentials: dict[tuple[str, str], dict[str, str]]
    carriers: dict[tuple[str, str], str]
    warehouses: dict[str, str]


def load(name: str) -> Any:
    """The content of seed_data/<name>.json."""
    return json.loads((SEED_DATA / f"{name}.json").read_text())


def skus() -> list[str]:
    """Every SKU of the catalogue."""
    return [product["sku"] for product in load("products")]


def put_secrets(client: ClientFactory, stage: str) -> Secrets:
    """Makes the secrets that are missing (random) and returns all of them."""
    manager = client("secretsmanager")
    accounts = [name.split("#") for name in load("settings")["channel_account"]]
    return Secrets(
        credentials={
            (channel, account): _credentials(manager, _channel_secret_name(stage, channel, account), names)
            for channel, account in accounts
            if (names := CREDENTIALS.get(channel))
        },
        channels={
            (channel, account): _signing_secret(manager, _channel_secret_name(stage, channel, account), _plain)
            for channel, account in accounts
            if registry.is_known(channel)  # the others come in over the API, with a token
        },
        carriers={
            CARRIER_ACCOUNT: _signing_secret(manager, f"oms/{stage}/carriers/{'/'.join(CARRIER_ACCOUNT)}", _plain)
        },
        warehouses={
            location["location_id"]: _signing_secret(
                manager, f"oms/{stage}/warehouses/{location['location_id']}", _standard_webhooks
            )
            for location in load("locations")
        },
    )


def put_reference_data(client: ClientFactory, stage: str, stand_in_url: str) -> None:
    """Writes products, listings that are not there yet, locations (their `endpoint_url` is the stand-in warehouse)
    and settings."""
    tables = client("dynamodb")
    for product in load("products"):
        put_item(tables, f"oms-{stage}-products", product)
    for listing in load("listings"):
        _put_if_absent(tables, f"oms-{stage}-listings", listing, "channel_sku")
    for location in load("locations"):
        endpoint_url = f"{stand_in_url}/warehouses/{location['location_id']}"
        put_item(tables, f"oms-{stage}-locations", {**location, "endpoint_url": endpoint_url})
    for kind, settings in load("settings").items():
        for name, values in settings.items():
            item = {"kind": kind, "name": name, **values}
            if kind == "channel_account":
                channel, account = name.split("#")
                item |= {"channel": channel, "account": account}
                if values.get("base_url", "").startswith("/"):  # a stand-in of this machine
                    item |= _at_stand_in(values, stand_in_url)
                if registry.is_known(channel):
                    item["secret_name"] = _channel_secret_name(stage, channel, account)
            put_item(tables, f"oms-{stage}-settings", item)
    # kept states of the project's first days have a card under a name that no card has any more
    tables.delete_item(TableName=f"oms-{stage}-settings", Key=to_item({"kind": "rate_card", "name": "standard"}))
    _put_routing_policy(tables, stage)


def _put_routing_policy(tables: Any, stage: str) -> None:
    """Version 1 of the routing policy, active, where none is yet."""
    policies = Policies(RoutingPoliciesStore(tables, f"oms-{stage}-"))
    if policies.active() is not None:
        return
    moment = datetime.now(UTC).replace(microsecond=0)
    first = Draft(policy=parse(load("routing_policy")), author="seed", note="How we begin", request_id="seed")
    draft = policies.draft(first, moment)
    no_orders = "there are no orders yet to try it on"
    policies.activate(policies.candidate(draft.version), None, "seed", moment, forced_note=no_orders)


def put_item(tables: Any, table: str, item: dict[str, Any]) -> None:
    """One item of plain values (strings, ints, bools, lists, mappings)."""
    tables.put_item(TableName=table, Item=to_item(item))


def _put_if_absent(tables: Any, table: str, item: dict[str, Any], key: str) -> None:
    """As `put_item`; what the system has written on an item since stays."""
    try:
        tables.put_item(TableName=table, Item=to_item(item), ConditionExpression=f"attribute_not_exists({key})")
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise


def _channel_secret_name(stage: str, channel: str, account: str) -> str:
    return f"oms/{stage}/channels/{channel}/{account}"


def _at_stand_in(values: dict[str, Any], stand_in_url: str) -> dict[str, Any]:
    options = {name: stand_in_url + text if text.startswith("/") else text for name, text in values["options"].items()}
    return {"base_url": stand_in_url + values["base_url"], "options": options}


def _plain() -> str:
    return randomness.token_hex(SECRET_BYTES)


def _standard_webhooks() -> str:
    return "whsec_" + base64.b64encode(randomness.token_bytes(SECRET_BYTES)).decode()


def _credentials(manager: Any, name: str, wanted: tuple[str, ...]) -> dict[str, str]:
    """What the secret of this name holds as credentials; made, beside its signing secrets, where there are none."""
    _signing_secret(manager, name, _plain)
    content = json.loads(manager.get_secret_value(SecretId=name)["SecretString"])
    if set(content.get("credentials", ())) != set(wanted):
        content["credentials"] = {one: _plain() for one in wanted}
        manager.put_secret_value(SecretId=name, SecretString=json.dumps(content))
    return dict(content["credentials"])


def _signing_secret(manager: Any, name: str, make: Callable[[], str]) -> str:
    """The newest signing secret under this name; made when there is none."""
    try:
        value = json.loads(manager.get_secret_value(SecretId=name)["SecretString"])
        return str(value["signing_secrets"][0])
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
    secret = make()
    manager.create_secret(Name=name, SecretString=json.dumps({"signing_secrets": [secret]}))
    return secret
