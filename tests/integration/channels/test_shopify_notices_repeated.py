"""Parcels told to Shopify in any order, again and again, by workers that die half way: each is there exactly once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from oms.channels import shopify
from oms.channels.client import ChannelApi
from oms.domain.channel_messages import ShipmentNotice
from oms.domain.errors import Retryable, Unavailable
from oms.runtime.http import HttpAnswer, HttpClient
from tests.integration.channels.shopify_shop import FulfillmentOrder, Shop
from tests.integration.channels.test_shopify_notices import shipment
from tests.scripted_server import Asked, account_api

LINES = ("11", "12", "13")
LOCATIONS = ("gid://shopify/Location/1", "gid://shopify/Location/2", "")
Units = dict[str, int]


@dataclass
class Wire:
    """Takes requests to the shop. `faults` says of each call whether it is lost on the way or on the way back."""

    shop: Shop
    faults: Iterator[str] = field(default_factory=lambda: iter(()))

    def request(self, method: str, url: str, *, body: bytes, headers: Mapping[str, str], **_: Any) -> HttpAnswer:
        fault = next(self.faults, "")
        if fault == "lost":
            raise Unavailable("no answer")
        reply = self.shop(Asked(method, url, {}, dict(headers), body))
        if fault == "answer lost":
            raise Unavailable("no answer")
        return HttpAnswer(reply.status, {}, json.dumps(reply.body).encode())


def parcels_of(draw: st.DrawFn) -> list[Units]:
    units = st.dictionaries(st.sampled_from(LINES), st.integers(min_value=1, max_value=3), min_size=1)
    return draw(st.lists(units, min_size=1, max_size=4))


@st.composite
def stories(draw: st.DrawFn) -> tuple[Shop, list[Units], list[str], list[int], list[str]]:
    """A shop that has the units of some parcels, split over its locations; their numbers, of which some are the same or
    none at all; when they are told, and what goes wrong."""
    parcels = parcels_of(draw)
    split = [FulfillmentOrder(number, Counter(), location) for number, location in enumerate(LOCATIONS, start=1)]
    for parcel in parcels:
        for line_id, quantity in parcel.items():
            for _ in range(quantity):
                draw(st.sampled_from(split)).units[line_id] += 1
    numbers = draw(st.lists(st.sampled_from(["1Z1", "1Z2", ""]), min_size=len(parcels), max_size=len(parcels)))
    told = draw(st.lists(st.integers(min_value=0, max_value=len(parcels) - 1), max_size=6))
    faults = draw(st.lists(st.sampled_from(["", "", "lost", "answer lost"]), max_size=20))
    return Shop([one for one in split if one.units]), parcels, numbers, told, faults


def notices_of(parcels: list[Units], numbers: list[str]) -> list[ShipmentNotice]:
    """The notices of parcels that left one after the other."""
    notices: list[ShipmentNotice] = []
    for units, number in zip(parcels, numbers, strict=True):
        before = tuple(line for one in notices if one.tracking_number == number for line in one.lines)
        notices.append(shipment(units, tracking_number=number, told_before=before))
    return notices


@settings(max_examples=25, deadline=None, derandomize=True)
@given(story=stories())
def test_whatever_happens_on_the_way_each_parcel_ends_up_there_exactly_once(
    story: tuple[Shop, list[Units], list[str], list[int], list[str]],
) -> None:
    shop, parcels, numbers, told, faults = story
    wire = Wire(shop, iter(faults))
    notices = notices_of(parcels, numbers)
    api: ChannelApi = replace(account_api("shopify", "http://shop"), http=cast(HttpClient, wire))
    api.read_credentials = lambda _: {"access_token": "t"}
    for number in told:
        with suppress(Retryable):
            shopify.confirm_shipment(api, notices[number])
    wire.faults = iter(())
    for notice in notices:
        shopify.confirm_shipment(api, notice)
    there: dict[str, Counter[str]] = {}
    for tracking_number, units in shop.shipped():
        there.setdefault(tracking_number, Counter()).update(units)
    wanted: dict[str, Counter[str]] = {}
    for tracking_number, units in zip(numbers, parcels, strict=True):
        wanted.setdefault(tracking_number, Counter()).update(units)
    assert there == wanted
    assert not any(+one.units for one in shop.fulfillment_orders)
