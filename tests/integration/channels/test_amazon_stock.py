"""What Amazon is told to sell, and what it believes it may."""

from __future__ import annotations

from typing import Any

import pytest

from oms.channels import amazon
from oms.domain.errors import Throttled, Unavailable
from oms.domain.listings import AvailabilityMessage
from tests.integration.channels.amazon_account import (
    amazon_described,
    amazon_with,
    refusal,
)
from tests.scripted_server import NOON, Reply, in_order

LISTINGS = "/listings/2021-08-01/items/A1SELLER"


def figures(*quantities: int) -> list[AvailabilityMessage]:
    return [
        AvailabilityMessage(channel_sku=f"MSG {number}/A", sku=f"SKU-{number}", quantity=quantity, version=1, at=NOON)
        for number, quantity in enumerate(quantities)
    ]


ACCEPTED = Reply(200, {"sku": "x", "status": "ACCEPTED", "submissionId": "1"})


def test_each_figure_is_a_patch_that_leaves_all_else_alone() -> None:
    with amazon_with({LISTINGS: ACCEPTED}) as (server, api):
        assert amazon.publish(api, figures(4, -2)) == {}
    first, second = server.of(LISTINGS)
    assert (first.method, first.path) == ("PATCH", f"{LISTINGS}/MSG%200%2FA")
    assert first.query == {"marketplaceIds": "ATVPDKIKX0DER"}
    (patch,) = first.json["patches"]
    assert (patch["op"], patch["path"]) == ("merge", "/attributes/fulfillment_availability")
    assert patch["value"] == [{"fulfillment_channel_code": "DEFAULT", "quantity": 4}]
    assert second.json["patches"][0]["value"][0]["quantity"] == 0


def test_figures_that_amazon_does_not_take_come_back_with_its_codes() -> None:
    issues = [{"code": "90220", "severity": "ERROR"}, {"code": "18448", "severity": "WARNING"}]
    replies = in_order(
        Reply(200, {"sku": "x", "status": "INVALID", "submissionId": "1", "issues": issues}),
        ACCEPTED,
        refusal(400, "InvalidInput"),
        refusal(404, "NotFound"),
        Reply(400, b"no json"),
    )
    with amazon_with({LISTINGS: replies}) as (_, api):
        refused = amazon.publish(api, figures(1, 2, 3, 4, 5))
    assert refused == {
        "MSG 0/A": "INVALID,90220",
        "MSG 2/A": "InvalidInput",
        "MSG 3/A": "NOT_LISTED",
        "MSG 4/A": "REFUSED_400",
    }


@pytest.mark.parametrize(("reply", "error"), [(Reply(429), Throttled), (Reply(500), Unavailable)])
def test_figures_that_could_not_be_told_are_told_again_all_of_them(reply: Reply, error: type[Exception]) -> None:
    with amazon_with({LISTINGS: in_order(ACCEPTED, reply)}) as (_, api), pytest.raises(error):
        amazon.publish(api, figures(1, 2, 3))


def item(sku: str, quantity: int | None, code: str = "DEFAULT", created: str = "2026-01-02T03:04:05Z") -> Any:
    stock = {"fulfillmentChannelCode": code, **({} if quantity is None else {"quantity": quantity})}
    return {"sku": sku, "summaries": [{"createdDate": created}], "fulfillmentAvailability": [stock]}


def found(*items: Any, total: int = 0, next_token: str = "") -> Reply:
    paged = {"pagination": {"nextToken": next_token}} if next_token else {}
    return Reply(200, {"numberOfResults": total or len(items), "items": list(items), **paged})


def test_what_amazon_believes_is_listed_page_by_page_without_its_own_stock() -> None:
    fba, nothing = item("FBA", 9, "AMAZON_NA"), {"sku": "DRAFT", "summaries": []}
    with amazon_with(
        {LISTINGS: in_order(found(item("A", 3), fba, nothing, next_token="t2"), found(item("B", None)))}
    ) as (
        server,
        api,
    ):
        first = amazon.listed(api, None)
        second = amazon.listed(api, first.next_token)
    assert (first.quantities, second.quantities, second.next_token) == ({"A": 3}, {"B": 0}, None)
    asked = [one.query for one in server.of(LISTINGS)]
    assert asked[0] == {
        "marketplaceIds": "ATVPDKIKX0DER",
        "includedData": "summaries,fulfillmentAvailability",
        "sortBy": "createdDate",
        "sortOrder": "ASC",
        "pageSize": "20",
    }
    assert asked[1] == {**asked[0], "pageToken": "t2"}


def test_beyond_the_thousand_that_amazon_pages_through_we_search_on_from_the_last() -> None:
    last = item("Z", 1, created="2026-05-06T07:08:09.123Z")
    replies = in_order(
        found(item("A", 3), last, total=1500), found(last, total=1001), found(item("B", 1, created=""), total=2000)
    )
    with amazon_with({LISTINGS: replies}) as (server, api):
        first = amazon.listed(api, None)
        second = amazon.listed(api, first.next_token)
        third = amazon.listed(api, None)
    assert server.of(LISTINGS)[1].query["createdAfter"] == "2026-05-06T07:08:09Z"
    assert (first.next_token, second.next_token, third.next_token) == ("2026-05-06T07:08:09Z|", None, None)


@pytest.mark.parametrize("reply", [Reply(200, {"items": None}), Reply(200, []), Reply(503), Reply(hangs_up=True)])
def test_a_list_that_is_none_is_asked_for_again_later(reply: Reply) -> None:
    with amazon_with({LISTINGS: reply}) as (_, api), pytest.raises(Unavailable):
        amazon.listed(api, None)


def test_amazons_description_accepts_our_figures_and_our_search() -> None:
    with amazon_described("listingsItems_2021-08-01.json", seller_id="A1SELLER") as api:
        assert amazon.publish(api, figures(1, 2)) == {}
        page = amazon.listed(api, None)
        assert page.quantities
        amazon.listed(api, page.next_token)
