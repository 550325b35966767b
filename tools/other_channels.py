"""The demonstration's other channels: an order by WooCommerce's webhook, one pulled from Amazon, and the way back.

What each channel was told is looked up in the stand-in, not here: the tracking number must have arrived there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from oms.domain import ids
from tools.world import Story

if TYPE_CHECKING:
    from tools.channel_stand_ins import AmazonSeller, Basket, WooCommerceShop
    from tools.demonstration import Outcome
    from tools.orders_view import Document
    from tools.stand_ins import Outside
    from tools.world import World

CRAFTS: Basket = {"CANDLE-CEDAR": (2, 2400), "TOWEL-LINEN-2": (1, 2600)}
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
    crafts = _sold(world, outside.woocommerce, "woocommerce#main-street-crafts", "a WooCommerce webhook", CRAFTS)
    market = _sold(world, outside.amazon, "amazon#main-street-goods", "an Amazon pull", MARKETPLACE)
    _pull(world)
    for sold in (crafts, market):
        outcome.check(f"{sold.story.number} ({sold.story.shows}) was created", _exists(world, sold.story))
    world.wait_for([crafts.story, market.story], seconds)
    told = world.wait(lambda: crafts.was_told and market.was_told, EXISTS_SECONDS)
    for sold in (crafts, market):
        outcome.check(f"{sold.story.number} ({sold.story.shows}) ended as it should", sold.story.has_ended)
        says = f"{sold.channel.name} was told the tracking number of {sold.story.number}"
        if outcome.check(says, told or sold.was_told):
            world.screen.say(f"{says}: {', '.join(_tracking_numbers(sold.story.document or {}))}")


def _sold(
    world: World, channel: AmazonSeller | WooCommerceShop, channel_account: str, shows: str, basket: Basket
) -> Sold:
    buyer = world.shop.new_identity().buyer
    channel_order_id = channel.place(buyer, basket)
    order_id = ids.order_id(channel.name, channel_account.partition("#")[2], channel_order_id)
    number = channel_order_id if channel.name == "amazon" else f"W{channel_order_id}"
    return Sold(world.follow(Story(shows, number, order_id, _is_delivered, buyer)), channel, channel_order_id)


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
