"""What may be sold, told to a Shopify shop and read from it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from oms.channels import shopify, shopify_stock
from oms.channels.client import ChannelApi
from oms.domain.errors import ChannelRefused, NotSupported, Unavailable
from oms.domain.listings import AvailabilityMessage
from tests.integration.channels.shopify_shop import GRAPHQL_PATH, LOCATION_ID, Shop
from tests.scripted_server import Asked, Reply, Script, ScriptedServer, account_api, in_order

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def item(number: int) -> str:
    return f"gid://shopify/InventoryItem/{number}"


def message(channel_sku: str, quantity: int, version: int = 1) -> AvailabilityMessage:
    return AvailabilityMessage(channel_sku=channel_sku, sku="S", quantity=quantity, version=version, at=AT)


def stocking(**skus: int) -> Shop:
    """A shop that has the skus at its location, each with so many units."""
    items = {item(number): sku for number, sku in enumerate(skus, start=1)}
    return Shop(skus=dict(items), stocked={one: skus[sku] for one, sku in items.items()})


@contextmanager
def selling(shop: Shop) -> Iterator[tuple[ChannelApi, ScriptedServer]]:
    with ScriptedServer({GRAPHQL_PATH: shop}) as server:
        yield account_api("shopify", server.url, [{"access_token": "t"}], {"location_id": LOCATION_ID}), server


def test_what_may_be_sold_is_set_by_sku_at_the_location() -> None:
    shop = stocking(MUG=3, BOWL=1)
    with selling(shop) as (api, _):
        assert shopify.publish(api, [message("MUG", 7), message("BOWL", 0)]) == {}
    assert shop.stocked == {item(1): 7, item(2): 0}


def test_less_than_nothing_is_nothing() -> None:
    shop = stocking(MUG=3)
    with selling(shop) as (api, _):
        shopify.publish(api, [message("MUG", -2)])
    assert shop.stocked == {item(1): 0}


def test_of_two_figures_for_one_sku_the_later_version_counts() -> None:
    shop = stocking(MUG=3)
    with selling(shop) as (api, _):
        shopify.publish(api, [message("MUG", 9, version=5), message("MUG", 4, version=2)])
    assert shop.stocked == {item(1): 9}


def test_a_figure_told_again_is_set_again_under_another_key() -> None:
    shop = stocking(MUG=3)
    with selling(shop) as (api, _):
        shopify.publish(api, [message("MUG", 5)])
        shop.stocked[item(1)] = 8  # somebody counted in Shopify's admin
        shopify.publish(api, [message("MUG", 5)])
    assert shop.stocked == {item(1): 5}
    assert len(set(shop.keys)) == 2


def test_an_item_is_looked_up_once_by_a_worker() -> None:
    shop = stocking(MUG=3)
    with selling(shop) as (api, server):
        for units in range(3):
            shopify.publish(api, [message("MUG", units)])
        assert len(server.asked) == 4


def test_only_the_very_sku_is_meant_though_the_search_finds_more() -> None:
    shop = stocking(MUG=3)
    shop.skus[item(9)] = "MUG-LARGE"
    shop.stocked[item(9)] = 50
    with selling(shop) as (api, server):
        assert shopify.publish(api, [message("MUG", 1), message("MU", 1)]) == {"MU": "UNKNOWN_SKU"}
        assert shop.stocked == {item(1): 1, item(9): 50}
        shopify.publish(api, [message("MUG-LARGE", 2)])
        assert len(server.asked) == 4  # what the search found beside is no answer for the other sku


def test_a_sku_that_two_variants_have_is_set_on_both() -> None:
    shop = Shop(skus={item(1): "MUG", item(2): "MUG"}, stocked={item(1): 3, item(2): 4})
    with selling(shop) as (api, _):
        assert shopify.publish(api, [message("MUG", 6)]) == {}
    assert shop.stocked == {item(1): 6, item(2): 6}


def test_a_variant_without_sku_is_known_by_its_id() -> None:
    shop = Shop(variants={"gid://shopify/ProductVariant/450": item(7)}, stocked={item(7): 0}, skus={item(7): ""})
    with selling(shop) as (api, _):
        told = [message("variant:450", 6), message("variant:451", 6)]
        assert shopify.publish(api, told) == {"variant:451": "UNKNOWN_SKU"}
    assert shop.stocked == {item(7): 6}


def test_a_sku_that_is_not_stocked_there_is_refused_and_the_others_are_set() -> None:
    shop = stocking(MUG=3, BOWL=1, KETTLE=2)
    del shop.stocked[item(2)]
    with selling(shop) as (api, _):
        refused = shopify.publish(api, [message("MUG", 5), message("BOWL", 5), message("KETTLE", 5)])
        assert refused == {"BOWL": "ITEM_NOT_STOCKED_AT_LOCATION"}
        assert shop.stocked == {item(1): 5, item(3): 5}
        shop.stocked[item(2)] = 0
        assert shopify.publish(api, [message("BOWL", 5)]) == {}


def test_an_item_that_was_made_anew_is_found_once_the_old_one_is_refused() -> None:
    shop = stocking(MUG=3)
    with selling(shop) as (api, _):
        shopify.publish(api, [message("MUG", 5)])
        shop.skus, shop.stocked = {item(9): "MUG"}, {item(9): 0}
        assert shopify.publish(api, [message("MUG", 6)]) == {}
    assert shop.stocked == {item(9): 6}


def test_a_sku_that_was_given_to_another_item_is_looked_up_again_after_a_while() -> None:
    shop = stocking(MUG=3, BOWL=1)
    with selling(shop) as (api, _):
        seconds = [0.0]
        api.clock = lambda: seconds[0]
        shopify.publish(api, [message("MUG", 5)])
        shop.skus = {item(1): "BOWL", item(2): "MUG"}
        seconds[0] = 601.0
        shopify.publish(api, [message("MUG", 6)])
    assert shop.stocked == {item(1): 5, item(2): 6}


def test_blanks_that_a_shop_left_around_a_sku_do_not_matter() -> None:
    shop = Shop(skus={item(1): " MUG "}, stocked={item(1): 3})
    with selling(shop) as (api, _):
        assert shopify.publish(api, [message("MUG", 6)]) == {}
        assert shopify.listed(api, None).quantities == {"MUG": 6}
    assert shop.stocked == {item(1): 6}


def test_a_sku_that_half_the_shop_begins_with_keeps_no_other_from_being_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shopify_stock, "MAX_PAGES", 2)
    shop = stocking(**{f"T{number}": 0 for number in range(300)}, MUG=1, BOWL=1)
    with selling(shop) as (api, _):
        assert shopify.publish(api, [message("T", 1), message("MUG", 5), message("BOWL", 6)]) == {"T": "UNKNOWN_SKU"}
    assert [units for units in shop.stocked.values() if units] == [5, 6]


def test_when_every_sku_is_refused_nothing_is_asked_for_in_vain() -> None:
    shop = stocking(MUG=3)
    shop.stocked.clear()
    with selling(shop) as (api, server):
        assert shopify.publish(api, [message("MUG", 5)]) == {"MUG": "ITEM_NOT_STOCKED_AT_LOCATION"}
        assert len(server.asked) == 2


def test_as_many_as_may_be_told_at_once_are_told_in_one_call() -> None:
    skus = {f"S{number:03}": 0 for number in range(shopify.MAX_PUBLISHED)}
    shop = stocking(**skus)
    with selling(shop) as (api, server):
        assert shopify.publish(api, [message(sku, 2) for sku in skus]) == {}
        told = [asked for asked in server.asked if "inventorySetQuantities" in asked.json["query"]]
    assert len(told) == 1
    assert set(shop.stocked.values()) == {2}


def complaining(code: str) -> Script:
    """A shop that finds the item and has an objection to the request as a whole."""
    items = {"nodes": [{"id": item(1), "sku": "MUG"}], "pageInfo": {"hasNextPage": False, "endCursor": None}}
    errors = [{"code": code, "field": ["input", "quantities"], "message": "?"}]
    return in_order(
        Reply(200, {"data": {"inventoryItems": items}}),
        Reply(200, {"data": {"inventorySetQuantities": {"userErrors": errors}}}),
    )


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("INVALID_LOCATION", ChannelRefused),
        ("IDEMPOTENCY_CONCURRENT_REQUEST", Unavailable),
        ("IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED", Unavailable),
    ],
)
def test_an_objection_to_all_of_it_is_an_error_and_a_busy_shop_is_tried_again(
    code: str, error: type[Exception]
) -> None:
    with ScriptedServer({GRAPHQL_PATH: complaining(code)}) as server:
        api = account_api("shopify", server.url, [{"access_token": "t"}], {"location_id": "1"})
        with pytest.raises(error) as caught:
            shopify.publish(api, [message("MUG", 1)])
    if isinstance(caught.value, ChannelRefused):
        assert caught.value.codes == (code,)


def test_a_shop_that_names_one_wrong_row_at_a_time_is_told_fewer_at_once() -> None:
    shop = stocking(**{f"S{number}": 0 for number in range(9)})
    shop.stocked.clear()

    def names_one(asked: Asked) -> Reply:
        reply = shop(asked)
        told = reply.body["data"].get("inventorySetQuantities")
        return Reply(
            200, {"data": {"inventorySetQuantities": {"userErrors": told["userErrors"][:1]}}} if told else reply.body
        )

    with ScriptedServer({GRAPHQL_PATH: names_one}) as server:
        api = account_api("shopify", server.url, [{"access_token": "t"}], {"location_id": LOCATION_ID})
        with pytest.raises(ChannelRefused) as caught:
            shopify.publish(api, [message(f"S{number}", 1) for number in range(9)])
        assert caught.value.codes == ("TOO_MANY_REFUSED",)
        few = [message(f"S{number}", 1) for number in range(2)]
        assert shopify.publish(api, few) == dict.fromkeys(("S0", "S1"), "ITEM_NOT_STOCKED_AT_LOCATION")


def test_without_a_location_a_person_is_told_what_to_set() -> None:
    with ScriptedServer({}) as server:
        api = account_api("shopify", server.url, [{"access_token": "t"}])
        with pytest.raises(NotSupported, match="location_id"):
            shopify.publish(api, [message("MUG", 1)])
        with pytest.raises(NotSupported, match="location_id"):
            shopify.listed(api, None)


def test_what_shopify_may_sell_is_read_page_by_page() -> None:
    shop = stocking(**{f"S{number:03}": number for number in range(205)})
    with selling(shop) as (api, server):
        quantities: dict[str, int] = {}
        token = None
        for _ in range(10):
            page = shopify.listed(api, token)
            quantities |= page.quantities
            token = page.next_token
            if token is None:
                break
        assert len(server.asked) == 3
    assert quantities == {f"S{number:03}": number for number in range(205)}


def test_of_variants_that_share_a_sku_the_figure_that_can_oversell_counts() -> None:
    shop = Shop(skus={item(1): "MUG", item(2): "MUG"}, stocked={item(1): 3, item(2): 9})
    with selling(shop) as (api, _):
        assert shopify.listed(api, None).quantities == {"MUG": 9}


def test_an_item_without_sku_is_listed_as_the_variant_it_is_of() -> None:
    shop = Shop(
        skus={item(7): "", item(8): ""},
        stocked={item(7): 4, item(8): 2},
        variants={"gid://shopify/ProductVariant/450": item(7)},
    )
    with selling(shop) as (api, _):
        assert shopify.listed(api, None).quantities == {"variant:450": 4}


def test_a_location_that_shopify_does_not_have_lists_nothing() -> None:
    with ScriptedServer({GRAPHQL_PATH: Shop()}) as server:
        api = account_api("shopify", server.url, [{"access_token": "t"}], {"location_id": "1"})
        with pytest.raises(ChannelRefused) as caught:
            shopify.listed(api, None)
    assert caught.value.codes == ("INVALID_LOCATION",)
