"""Intake: a channel's order becomes an order here, or changes to the one we have. The same for every door."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from oms.domain import ids, intake
from oms.domain.changes import Context, OrderChange
from oms.domain.channel_places import at_our_locations
from oms.domain.errors import InvalidOrder, InvariantBroken, KeyReused, OrderExists, UnmappedSku, WriteConflict
from oms.domain.forgetting import forgotten_from_the_start
from oms.domain.handover import hand_over
from oms.domain.incoming import IncomingOrder
from oms.domain.intake_questions import await_mapping
from oms.domain.intake_rules import Age, Version, judge_version
from oms.domain.intake_updates import calls_goods_otherwise, needs_goods, update
from oms.domain.intake_wishes import Message, age_of, content_of, is_new_address, renewed
from oms.domain.order import Order, OrderStatus
from oms.domain.requests import REQUEST_CONTENT, REQUEST_KEY, ApiRequest
from oms.usecases.changing import change_once, change_until_settled, order_after
from oms.usecases.channel_skus import ChannelSkus, OurSkus

if TYPE_CHECKING:
    from datetime import datetime

    from oms.stores.contacts import ContactsStore
    from oms.stores.group_commit import CommitResult, GroupCommit
    from oms.stores.listings import ListingsStore
    from oms.stores.orders import OrdersStore
    from oms.stores.reference_data import LocationsStore, ProductsStore, SettingsStore
    from oms.usecases.conversion import Conversion
    from oms.usecases.promises import PromiseCheck

MAX_CONVERSIONS = 10
"""Tries of one order upon a cart's hold while others write it."""


class Taken(StrEnum):
    """What became of a message. REFETCH: nothing yet, the channel must be asked which of two states holds."""

    CREATED = "CREATED"
    CHANGED = "CHANGED"
    UNCHANGED = "UNCHANGED"
    STALE = "STALE"
    REFETCH = "REFETCH"


@dataclass(frozen=True, slots=True)
class IntakeResult:
    """The order as it is now, and what the message did to it."""

    order: Order
    taken: Taken


@dataclass(frozen=True, slots=True)
class Placed:
    """The order as it is now, and whether this very request made it."""

    order: Order
    created: bool


@dataclass(frozen=True, slots=True)
class _Asking:
    """Whether the message is the channel's answer to us, and whether the channel can be asked."""

    fetched: bool = False
    can_fetch: bool = False

    def judge(self, order: Order, incoming: IncomingOrder, content: str) -> Version:
        """Whether the message of this content counts for the order as it is."""
        known = bool(order.channel_content)
        return judge_version(
            age_of(order, incoming.channel_updated_at),
            same_content=known and order.channel_content == content,
            fetched=self.fetched,
            can_fetch=self.can_fetch and known,
            is_cancelled=known and order.status is OrderStatus.CANCELLED,
        )


@dataclass(frozen=True, slots=True)
class Intake:
    """Takes in canonical orders, whichever channel they come from. `conversion` is needed where they name a hold,
    `promises` where they bring a promise, `locations` to know where goods were carried out from, `listings` where
    channels have names of their own for our goods."""

    orders: OrdersStore
    contacts: ContactsStore
    products: ProductsStore
    settings: SettingsStore
    commit: GroupCommit
    conversion: Conversion | None = None
    promises: PromiseCheck | None = None
    locations: LocationsStore | None = None
    listings: ListingsStore | None = None

    def take(
        self,
        incoming: IncomingOrder,
        actor: str,
        now: datetime,
        trace_id: str | None = None,
        *,
        fetched: bool = False,
        can_fetch: bool = False,
    ) -> IntakeResult:
        """Creates the order, or brings it to what the channel says now; a repeat changes nothing.

        `fetched`: we asked for it, so it is the channel's own answer; `can_fetch`: this channel can be asked. Raises
        InvalidOrder for an account never set up, goods that left a location nobody knows, an order too large, a time
        that is not yet or goods that nobody knows (then an order we have waits for a person meanwhile), Retryable when
        it must be tried again.
        """
        context = Context(now=now, actor=actor, policy=self.settings.policy())
        incoming = self._at_our_locations(intake.in_whole_seconds(incoming))
        intake.require_past(incoming, now)
        order = self.orders.get(order_id_of(incoming))
        if order is None:
            order, created = self._create(incoming, context, trace_id)
            if created:
                return IntakeResult(self._as_asked_at_once(order, incoming, context), Taken.CREATED)
        order, asking = self._handed_over(order, context), _Asking(fetched, can_fetch)
        version = self._judge_version(order, incoming, asking)
        if version is not Version.COUNTS:
            return IntakeResult(order, Taken(version.value))
        return self._bring_up_to_date(order, incoming, context, asking)

    def place(
        self,
        incoming: IncomingOrder,
        request: ApiRequest,
        actor: str,
        now: datetime,
        *,
        trace_id: str | None = None,
        reservation_id: str | None = None,
    ) -> Placed:
        """Creates an order placed with us directly, or finds it when the same request did so before.

        Such a request says it once and never brings changes, even where nobody heard of the first try. The order
        consumes the cart's hold it names, if that is still there, and comes about only if its promise can be kept.
        Raises OrderExists, KeyReused, ReservationNotFound, ReservationConsumed, PromiseNotKept, InvalidOrder as `take`
        does, for a promise that has passed or for a location that is not known, Retryable.
        """
        context = Context(now=now, actor=actor, policy=self.settings.policy())
        marked = replace(incoming, external_ids={**incoming.external_ids, **request.marks()})
        order, created = self._find_or_create(intake.in_whole_seconds(marked), context, trace_id, reservation_id)
        if not created:
            _check_same(order, request)
        return Placed(order, created)

    def _find_or_create(
        self, incoming: IncomingOrder, context: Context, trace_id: str | None, reservation_id: str | None = None
    ) -> tuple[Order, bool]:
        """The order as it is now, and whether this very call made it."""
        order = self.orders.get(order_id_of(incoming))
        if order is not None:
            return self._handed_over(order, context), False
        first = self._first(incoming, context, trace_id)
        if first.order.promised_by is not None and not first.order.review:
            self._require_promise(first.order, reservation_id, context)
        if reservation_id is None:
            result = self.commit.commit_one(first)
        else:
            result = self._commit_upon(reservation_id, first, context)
        return self._handed_over(order_after(result), context), result.committed

    def _handed_over(self, order: Order, context: Context) -> Order:
        """The order with all that the customer carried out booked; more than fits one change follows here, and a repeat
        takes up what a crash left."""
        return change_until_settled(self.commit, order, lambda current: hand_over(current, context))

    def _require_promise(self, order: Order, reservation_id: str | None, context: Context) -> None:
        if self.promises is None:
            raise InvariantBroken("this intake was not given what promises are checked by")
        self.promises.require(order, reservation_id, context.now)

    def _at_our_locations(self, incoming: IncomingOrder) -> IncomingOrder:
        settings = self.settings.channel_account(incoming.channel, incoming.account)
        return at_our_locations(incoming, settings.options if settings else {})

    def _require_location(self, field: str, location_id: str | None) -> None:
        """Where stock leaves the books, or a customer is sent to collect it, must be a location of ours."""
        if not location_id:
            return
        if self.locations is None:
            raise InvariantBroken("this intake was not given the locations")
        if location_id not in {one.location_id for one in self.locations.all()}:
            raise InvalidOrder(f"no location {location_id}", field=field, reason="UNKNOWN_LOCATION")

    def _commit_upon(self, reservation_id: str, first: OrderChange, context: Context) -> CommitResult[OrderChange]:
        """Makes the order upon the hold, judged again on the hold as it is whenever somebody else wrote it."""
        if self.conversion is None:
            raise InvariantBroken("this intake was not given the reservations")
        for _ in range(MAX_CONVERSIONS):
            result = self.commit.commit_one(self.conversion.upon(first, reservation_id, context))
            if result.committed or result.error or result.image:
                return result
        raise WriteConflict(f"reservation {reservation_id}: others always wrote first")

    def _first(self, incoming: IncomingOrder, context: Context, trace_id: str | None) -> OrderChange:
        """Version 1 of an order that was placed with us, under our names for its goods. Who sends it can mend what it
        names wrongly; of a channel's order an unknown place of collection is for a person who plans it."""
        self._require_location("pickup_location_id", incoming.pickup_location_id)
        ours = OurSkus(incoming, self._skus.products_of({line.sku for line in incoming.lines}))
        return self._received(ours, context, trace_id, "")

    def _received(self, ours: OurSkus, context: Context, trace_id: str | None, content: str) -> OrderChange:
        channel, account = ours.incoming.channel, ours.incoming.account
        self._require_location("sold_at_location_id", ours.incoming.sold_at_location_id)
        settings = self.settings.channel_account(channel, account)
        if settings is None:
            message = f"settings has no channel_account {channel}#{account}"
            raise InvalidOrder(message, field="account", reason="UNKNOWN_ACCOUNT")
        made = intake.receive(ours.incoming, ours.products, settings, context, trace_id, content)
        return forgotten_from_the_start(made) if self.contacts.is_forgotten(made.order.order_id) else made

    @property
    def _skus(self) -> ChannelSkus:
        return ChannelSkus(self.products, self.listings)

    def _create(self, told: IncomingOrder, context: Context, trace_id: str | None) -> tuple[Order, bool]:
        """The order of a channel that was not here a moment ago, and whether this very call made it."""
        ours = self._skus.translate(told)
        if told.cancelled_at is None and not intake.has_left(told):
            ships = {line.line_id for line in told.lines if line.requires_shipping and line.current_quantity > 0}
            self._skus.require(told, ours, ships)
        # without its digest, the same message judged again is no repeat: the wish is done even if we die before it
        content = "" if _is_asked_at_once(told) else content_of(told)
        result = self.commit.commit_one(self._received(ours, context, trace_id, content))
        return self._handed_over(order_after(result), context), result.committed

    def _as_asked_at_once(self, order: Order, incoming: IncomingOrder, context: Context) -> Order:
        """A new order whose buyer has asked to cancel it by the time we hear of it."""
        if not _is_asked_at_once(incoming):
            return order
        return self._bring_up_to_date(order, incoming, context, _Asking()).order

    def _judge_version(self, order: Order, incoming: IncomingOrder, asking: _Asking) -> Version:
        version = asking.judge(order, incoming, content_of(incoming))
        if version is not Version.UNCHANGED:
            return version
        contact = self.contacts.get(order.order_id)
        same = contact is None or not (
            is_new_address(incoming.contact.ship_to, contact) or renewed(contact, incoming) != contact
        )
        return version if same else asking.judge(order, incoming, content="")

    def _bring_up_to_date(self, order: Order, told: IncomingOrder, context: Context, asking: _Asking) -> IntakeResult:
        """Makes of the order what the channel says; a message that came in meanwhile may have made this one old."""
        content = content_of(told)
        was_newer = age_of(order, told.channel_updated_at) is Age.NEWER

        def overtaken(current: Order) -> Version | None:
            version = asking.judge(current, told, content) if was_newer else Version.COUNTS
            return version if version in (Version.STALE, Version.REFETCH) else None

        def decide(current: Order) -> OrderChange | None:
            if overtaken(current):
                return None
            contact = self.contacts.get(current.order_id)
            message = Message(incoming=told, contact=contact, context=context, content=content)
            if calls_goods_otherwise(current, message) or needs_goods(current, message):
                ours = self._skus.translate(told)
                message = replace(message, incoming=ours.incoming, products=ours.products)
                self._skus.require(told, ours, needs_goods(current, message))
            return update(current, message)

        try:
            settled = change_until_settled(self.commit, order, decide)
        except UnmappedSku as error:
            self._await_mapping(order.order_id, told, error, context)
            raise
        version = overtaken(settled)
        if version:
            return IntakeResult(settled, Taken(version.value))
        return IntakeResult(settled, Taken.UNCHANGED if settled.version == order.version else Taken.CHANGED)

    def _await_mapping(self, order_id: str, told: IncomingOrder, error: UnmappedSku, context: Context) -> None:
        """Nothing of the order is handed out without what was added to it: its message goes on from quarantine."""
        order = self.orders.get(order_id)
        if order:
            at = told.channel_updated_at
            change_once(self.commit, order, lambda current: await_mapping(current, error.skus, at, context))


def _is_asked_at_once(incoming: IncomingOrder) -> bool:
    return bool(incoming.cancel_requested) and incoming.cancelled_at is None


def order_id_of(incoming: IncomingOrder) -> str:
    """The id the order has here, known before it exists."""
    return ids.order_id(incoming.channel, incoming.account, incoming.channel_order_id)


def _check_same(order: Order, request: ApiRequest) -> None:
    marks = request.marks()
    if order.external_ids.get(REQUEST_KEY) != marks[REQUEST_KEY]:
        raise OrderExists(f"{order.order_id} was placed by another request", order_id=order.order_id)
    if order.external_ids.get(REQUEST_CONTENT) != marks[REQUEST_CONTENT]:
        raise KeyReused
