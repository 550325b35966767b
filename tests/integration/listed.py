"""A company that sells mugs on two accounts, the workers that tell its channels, and a channel that listens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from oms.domain.catalog import KitComponent, Product
from oms.domain.errors import Throttled, Unavailable, WriteConflict
from oms.domain.listings import AvailabilityMessage, Failure, Listing, ListingKey, Telling, delivery_key
from oms.domain.stock import StockPosition
from oms.runtime import clients
from oms.stores.backorders import BackordersStore
from oms.stores.deliveries import DeliveriesStore
from oms.stores.listings import ListingsStore
from oms.stores.open_lines import OpenLinesStore
from oms.stores.reference_data import LocationsStore, ProductsStore, SettingsStore
from oms.stores.stock import StockStore
from oms.usecases.availability import Availabilities
from oms.usecases.circuits import Circuits
from oms.usecases.publishing import ChannelMessages, Publisher, Publishing
from tests.integration.company import at
from tests.integration.stage import PREFIX, Stage

MAIN, OUTLET, SETS = (
    ListingKey("shopify#main", "mug-white"),
    ListingKey("shopify#outlet", "mug-cheap"),
    ListingKey("shopify#main", "two-mugs"),
)
ROW = delivery_key(MAIN)
AT_ONCE = 10


@dataclass
class Shop:
    """A channel that remembers what it was told; `busy` says no to so many, `during` happens while it is told."""

    heard: list[AvailabilityMessage] = field(default_factory=list)
    busy: int = 0
    during: list[Callable[[], Any]] = field(default_factory=list)

    def publish(self, messages: Sequence[AvailabilityMessage]) -> Mapping[str, str]:
        if self.during:
            self.during.pop(0)()
        if self.busy:
            self.busy -= 1
            raise Unavailable("answered 503")
        self.heard += messages
        return {}

    @property
    def quantities(self) -> list[int]:
        return [one.quantity for one in self.heard]


class Desk:
    """A worker that owes and tells, just started; only with a shop is there somebody to tell."""

    def __init__(self, shop: Shop | None = None) -> None:
        client: Any = clients.client("dynamodb")
        self.listings, self.deliveries = ListingsStore(client, PREFIX), DeliveriesStore(client, PREFIX)
        products = ProductsStore(client, PREFIX)
        self.publishing = Publishing(self.listings, self.deliveries, products)
        figures = Availabilities(
            stock=StockStore(client, PREFIX),
            backorders=BackordersStore(client, PREFIX),
            open_lines=OpenLinesStore(client, PREFIX),
            products=products,
            locations=LocationsStore(client, PREFIX),
            settings=SettingsStore(client, PREFIX),
        )
        publisher = Publisher(AT_ONCE, shop.publish) if shop else None
        self.messages = ChannelMessages(
            self.listings,
            self.deliveries,
            figures,
            lambda channel_account: publisher if channel_account == MAIN.channel_account else None,
            Circuits(),
        )

    def mark(self, *skus: str, hours: float = 1) -> int:
        return self.publishing.mark_changed(skus or ("MUG",), at(hours))

    def tell(self, hours: float = 1) -> Telling:
        """One more attempt, by when everybody who did not answer before may be asked again."""
        return ended(replace(self.messages, circuits=Circuits()), hours)


def ended(messages: ChannelMessages, hours: float = 1) -> Telling:
    """How telling of one listing ended. Raises what made it fail: then it comes again."""
    (told,) = messages.tell(MAIN.channel_account, [MAIN], at(hours)).values()
    if isinstance(told, Failure):
        kinds = {kind.__name__: kind for kind in (WriteConflict, Throttled)}
        raise kinds.get(told.reason, Unavailable)(told.reason)
    return told


def open_shelves(stage: Stage) -> Stage:
    """The stage of a company that sells mugs on two accounts, and sets of two mugs on one. There are 15 mugs."""
    stage.put("products", Product(sku="MUG", part_of=("SET",)))
    stage.put("products", Product(sku="SET", kit_components=(KitComponent(sku="MUG", quantity=2),)))
    begin_anew(stage)
    return stage


def begin_anew(stage: Stage) -> None:
    """Nobody was ever told or owed anything, and there are 15 mugs."""
    for one in stage.rows("deliveries"):
        names = {name: {"S": one[name]} for name in ("destination", "message_key")}
        clients.client("dynamodb").delete_item(TableName=f"{PREFIX}deliveries", Key=names)
    for key, sku in ((MAIN, "MUG"), (OUTLET, "MUG"), (SETS, "SET"), (ListingKey("shopify#main", "bowl"), "BOWL")):
        stage.put("listings", Listing(channel_account=key.channel_account, channel_sku=key.channel_sku, sku=sku))
    have(stage, 15)


def have(stage: Stage, mugs: int) -> None:
    """So many mugs are there, all in one place."""
    stage.put("stock", StockPosition(sku="MUG", location_id="WH-WEST"))
    stage.put("stock", StockPosition(sku="MUG", location_id="WH-EAST", on_hand=mugs, available=mugs))


def sell_five(stage: Stage) -> None:
    """Ten mugs are left, and the change is noted."""
    have(stage, 10)
    Desk().mark()


def owed(stage: Stage) -> dict[str, str]:
    """Status of every row that owes a figure, by listing."""
    return {row["message_key"].removeprefix("availability#"): row["status"] for row in stage.rows("deliveries")}


def row(stage: Stage, key: ListingKey = MAIN) -> dict[str, Any]:
    found = (one for one in stage.rows("deliveries") if (one["destination"], one["message_key"]) == delivery_key(key))
    return next(found)


def listing(stage: Stage) -> dict[str, Any]:
    return next(one for one in stage.rows("listings") if one["channel_sku"] == MAIN.channel_sku)


class Told:
    """Plays the stream and the queue: every row that became pending is worked off, until nothing is owed."""

    def __init__(self, stage: Stage, desk: Desk) -> None:
        self.stage, self.desk = stage, desk

    def all(self) -> None:
        for _ in range(10):
            if owed(self.stage).get(MAIN.channel_sku) not in ("PENDING", "FAILED"):
                return
            self.desk.tell()
        raise AssertionError("it never ends")
