"""The demonstration's other channels: an order by WooCommerce's webhook, edited before it is paid, one pulled from
Amazon, and the way back.

What each channel was told is looked up in the stand-in, not here: the tracking number must have arrived there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from oms.domain import ids
from oms.stores.attribute_values import from_item, to_item
from tools.world import Story

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tools.channel_stand_ins import AmazonSeller, Basket, WooCommerceShop
    from tools.demonstration import Outcome
    from tools.orders_view import Document
    from tools.stand_ins import Outside
    from tools.world import World

EDITED = "CANDLE-CEDAR"
CRAFTS: Basket = {EDITED: (2, 2400), "TOWEL-LINEN-2": (1, 2600)}
ONE_LESS: Basket = {**CRAFTS, EDITED: (1, 2400)}
# Amazon's own names for what is sold there: `listings` says what they are here.
MARKETPLACE: Basket = {"MSG-MUG-350-SLATE": (2, 1800), "MSG-BOWL-16": (1, 1900)}
EXISTS_SECONDS = 120.0
"""The schedule looks each minute: where the account was read a moment ago, the order waits for the next look."""


@dataclass(frozen=True, slots=True)
class Sold:
    """An order of another channel: its story here, and the channel that must hear of its parcel."""

    story: Story
    channel: AmazonSeller | WooCommerceShop
    channel_order_id: str

    @property
    def was_told(self) -> bool:
        """Whether the channel knows the tracking number of every parcel."""
        numbers = _tracking_numbers(self.story.document or {})
        return bool(numbers) and all(self.channel.was_told(self.channel_order_id, number) for number in numbers)


def run(world: World, outcome: Outcome, outside: Outside, seconds: float) -> None:
    """Both orders, from the channel to the door and back to the channel."""
    world.screen.heading("Two more channels, and the tracking numbers back to them")
    shop, seller = outside.woocommerce, outside.amazon
    first, second = (world.shop.new_identity().buyer for _ in range(2))
    number = shop.place(first, CRAFTS, is_paid=False)
    crafts = _sold(world, shop, "main-street-crafts", "a WooCommerce webhook", first, number)
    market = _sold(world, seller, "main-street-goods", "an Amazon pull", second, seller.place(second, MARKETPLACE))
    _pull(world)
    for sold in (crafts, market):
        outcome.check(f"{sold.story.number} ({sold.story.shows}) was created", _exists(world, sold.story))
    _edit_and_pay(world, outcome, shop, crafts)
    world.wait_for([crafts.story, market.story], seconds)
    told = world.wait(lambda: crafts.was_told and market.was_told, EXISTS_SECONDS)
    for sold in (crafts, market):
        outcome.check(f"{sold.story.number} ({sold.story.shows}) ended as it should", sold.story.has_ended)
        says = f"{sold.channel.name} was told the tracking number of {sold.story.number}"
        if outcome.check(says, told or sold.was_told):
            world.screen.say(f"{says}: {', '.join(_tracking_numbers(sold.story.document or {}))}")


def _sold(
    world: World,
    channel: AmazonSeller | WooCommerceShop,
    account: str,
    shows: str,
    buyer: Mapping[str, Any],
    channel_order_id: str,
) -> Sold:
    order_id = ids.order_id(channel.name, account, channel_order_id)
    number = channel_order_id if channel.name == "amazon" else f"W{channel_order_id}"
    return Sold(world.follow(Story(shows, number, order_id, _is_delivered, buyer)), channel, channel_order_id)


def _edit_and_pay(world: World, outcome: Outcome, shop: WooCommerceShop, sold: Sold) -> None:
    """A unit less while the order waits for its money: what that unit held may be sold to others again."""
    says = f"{sold.story.number} was edited to a unit less, and the stock it held is free again"
    if not world.wait(lambda: _holds_stock(sold.story.document), EXISTS_SECONDS):
        outcome.check(says, False)
        return
    before = _available(world)
    shop.edit(sold.channel_order_id, ONE_LESS)
    if outcome.check(says, world.wait(lambda: _available(world) == before + 1, EXISTS_SECONDS)):
        world.screen.say(says)
    shop.pay(sold.channel_order_id)


def _holds_stock(document: Document | None) -> bool:
    return document is not None and document["status"] == "ALLOCATED"


def _available(world: World) -> int:
    """Units of the edited goods that nobody was promised, over all locations."""
    found = world.tables.query(
        TableName=world.stack["tables"]["stock"],
        KeyConditionExpression="sku = :sku",
        ExpressionAttributeValues=to_item({":sku": EDITED}),
        ConsistentRead=True,
    )
    return sum(int(from_item(item)["available"]) for item in found["Items"])


def _pull(world: World) -> None:
    """What the schedule does each minute, without waiting for the minute."""
    name = world.stack["functions"]["schedule-poll"]
    world.functions.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps({}).encode())


def _exists(world: World, story: Story) -> bool:
    return world.wait(lambda: story.document is not None, EXISTS_SECONDS)


def _tracking_numbers(document: Document) -> list[str]:
    parcels: list[dict[str, Any]] = [
        parcel for one in document.get("fulfillments", []) for parcel in one.get("shipments", [])
    ]
    return [parcel["tracking_number"] for parcel in parcels]


def _is_delivered(document: Document) -> bool:
    return bool(document["status"] == "DELIVERED")
