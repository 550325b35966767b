"""The whole system on this machine: stack, reference data, stand-ins, and a shop to send orders through it.

`make run` and the end-to-end tests start it the same way, each with its own ports and folder.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tools import seed, stack_file
from tools.channel_stand_ins import AmazonSeller, WooCommerceShop
from tools.counters import CallLog
from tools.local_stack import PORT_VARIABLE, LocalStack
from tools.processes import require_free_port
from tools.seed_stock import restore_stock
from tools.shop import Shop
from tools.stand_ins import PORT_VARIABLE as STAND_IN_PORT_VARIABLE
from tools.stand_ins import Carriage, Outside, StandIns
from tools.world import World

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path

    from tools.console import Screen


@dataclass(frozen=True, slots=True)
class Place:
    """Where a system runs: its two ports on 127.0.0.1 and the folder of all that it writes."""

    port: int
    stand_in_port: int
    work_dir: Path

    @property
    def stack_file(self) -> Path:
        """How to reach the system, for programs; exists while it runs."""
        return self.work_dir / "stack.json"


@dataclass(frozen=True, slots=True)
class System:
    """A running system."""

    stack: LocalStack
    description: dict[str, Any]
    outside: Outside
    world: World
    log: CallLog


def start(place: Place, screen: Screen, cleanup: ExitStack) -> System:
    """Starts everything; `cleanup` ends it. State kept in the folder is gone on from, stock is as seeded.

    Raises PortBusyError or StackFailedError.
    """
    # Both first: with a port taken, the folder may be that of a system which runs.
    require_free_port(place.port, PORT_VARIABLE)
    require_free_port(place.stand_in_port, STAND_IN_PORT_VARIABLE)
    for leftover in ("calls", "tmp"):  # of earlier runs, no part of this one
        shutil.rmtree(place.work_dir / leftover, ignore_errors=True)
    stack = LocalStack(place.port, place.work_dir, progress=screen.status, port_variable=PORT_VARIABLE)
    cleanup.enter_context(stack)
    stack.start()
    stack.deploy()
    screen.settle()
    secrets = _seed(stack, place, screen)
    description = stack_file.describe(stack, secrets)
    stack_file.write(place.stack_file, description)
    cleanup.callback(place.stack_file.unlink, missing_ok=True)
    outside = _outside(description, secrets)
    cleanup.enter_context(StandIns(place.stand_in_port, outside, screen.status))
    return System(stack, description, outside, _world(stack, description, screen), CallLog(stack.calls_dir))


def _seed(stack: LocalStack, place: Place, screen: Screen) -> seed.Secrets:
    secrets = seed.put_secrets(stack.client, stack.stage)
    seed.put_reference_data(stack.client, stack.stage, f"http://127.0.0.1:{place.stand_in_port}")
    positions = restore_stock(stack.client, stack.stage)
    screen.say(f"{len(seed.skus())} products, {len(secrets.warehouses)} locations, {positions} stock positions")
    return secrets


def _outside(description: dict[str, Any], secrets: seed.Secrets) -> Outside:
    cards = seed.load("settings")["rate_card"].values()
    usual = {card["carrier"]: Carriage(card["carrier"], card["services"][0]["service"]) for card in cards}
    carriages = {one["location_id"]: usual[one["carriers"][0]] for one in seed.load("locations")}
    carrier_secret = secrets.carriers[seed.CARRIER_ACCOUNT]
    return Outside(
        description["base_url"],
        secrets.warehouses,
        carrier_secret,
        carriages,
        WooCommerceShop(description["base_url"], *_account("woocommerce", secrets)),
        AmazonSeller(*_account("amazon", secrets)[2:]),
    )


def _account(channel: str, secrets: seed.Secrets) -> tuple[str, str, dict[str, str]]:
    """The seeded account of a channel that has a stand-in: its name, signing secret and credentials."""
    (account,) = [name for known, name in secrets.credentials if known == channel]
    return account, secrets.channels[channel, account], secrets.credentials[channel, account]


def _world(stack: LocalStack, description: dict[str, Any], screen: Screen) -> World:
    channel = description["channels"][0]
    shop = Shop(description["base_url"], channel["account"], channel["secret"], channel["channel"])
    clients = (stack.client("dynamodb"), stack.client("stepfunctions"), stack.client("sqs"), stack.client("lambda"))
    return World(description, shop, *clients, screen)
