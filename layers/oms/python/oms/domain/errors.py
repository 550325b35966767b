"""Every error the system raises on purpose.

Class names are an interface: the state machine matches on them, HTTP answers carry them. Only add to them.

    OmsError
    ├── Permanent                 asking again changes nothing
    │   ├── InvalidMessage        what came in can't be understood; `field` says where
    │   │   ├── InvalidOrder      the order in it breaks a rule
    │   │   │   └── UnmappedSku   it sells what no listing and no product is called
    │   │   └── KeyReused         the Idempotency-Key stands for another content
    │   ├── Unauthorized          signature or account not known
    │   ├── TooLarge              above a named bound
    │   ├── NotFound              no such thing
    │   │   ├── OrderNotFound
    │   │   ├── FulfillmentNotFound
    │   │   └── TrackingNotFound  no parcel has this tracking number (yet)
    │   ├── IllegalTransition     the order's state does not allow it
    │   ├── PolicyRefused         a version of the routing policy may not become what was asked
    │   ├── OrderExists           another request has placed this order
    │   ├── RequestInProgress     the same request is being worked on right now
    │   ├── ReservationNotFound   the order names a cart's hold that never was
    │   ├── ReservationConsumed   another order has the cart's hold already
    │   ├── PromiseNotKept        nothing arrives by the day that the order was to be promised for
    │   ├── ChannelRefused        the channel understood what we said, and will not have it
    │   ├── NotSupported          the channel offers no way to do this: a person does it there
    │   ├── OutOfStock            not enough stock anywhere it may ship from
    │   ├── NoRoute               stock may exist, but no location may ship it
    │   ├── InReview              a person must decide first
    │   ├── Rerouted              work came back and must be allocated again
    │   ├── Cancelled             the order was cancelled
    │   └── InvariantBroken       a bug: an equation that always holds does not
    └── Retryable                 the same request may succeed later
        ├── WriteConflict         someone else wrote first, again and again
        ├── Throttled
        ├── CredentialsRefused    the other side does not know us any more: until a person mends it
        ├── Unavailable           no answer, or the outcome is not known
        └── OutOfTime             our own time ran out before the other side had its
"""

_MAX_NAMED = 5


class OmsError(Exception):
    """Base of every error the system raises on purpose; `details` is safe to show to the caller."""

    def __init__(self, message: str = "", **details: object) -> None:
        super().__init__(message or type(self).__name__)
        self.details = details


class Permanent(OmsError):
    """Asking again with the same request changes nothing."""


class Retryable(OmsError):
    """The same request may succeed later; not before `retry_after_seconds`, where the other side said so."""

    def __init__(self, message: str = "", *, retry_after_seconds: float | None = None, **details: object) -> None:
        super().__init__(message, **details)
        self.retry_after_seconds = retry_after_seconds


class InvalidMessage(Permanent):
    """What came in can't be understood. `field` is the path of the offending value, `reason` a stable code."""

    def __init__(self, message: str, *, field: str = "", reason: str = "INVALID_MESSAGE") -> None:
        super().__init__(message, field=field)
        self.field = field
        self.reason = reason


class InvalidOrder(InvalidMessage):
    """The message is well formed, but the order in it breaks a rule of ours."""


class UnmappedSku(InvalidOrder):
    """No listing of the account and no product is called what a line sells; `skus` are the channel's names for it."""

    def __init__(self, skus: tuple[str, ...], *, field: str) -> None:
        more = "" if len(skus) <= _MAX_NAMED else f" and {len(skus) - _MAX_NAMED} more"
        message = f"no listing and no product is called {', '.join(skus[:_MAX_NAMED])}{more}"
        super().__init__(message, field=field, reason="UNMAPPED_SKU")
        self.skus = skus


class KeyReused(InvalidMessage):
    """The Idempotency-Key stands for another content already."""

    def __init__(self) -> None:
        message = "this key was used for another content: choose a new one"
        super().__init__(message, field="Idempotency-Key", reason="KEY_REUSED")


class Unauthorized(Permanent):
    """The signature is wrong or the account is not known; which of the two is never told."""


class TooLarge(Permanent):
    """Above a named bound."""


class NotFound(Permanent):
    """No such thing."""


class OrderNotFound(NotFound):
    """No order has this id."""


class FulfillmentNotFound(NotFound):
    """No fulfillment of this id at this location."""


class TrackingNotFound(NotFound):
    """No parcel has this tracking number, or its shipment was not reported yet."""


class IllegalTransition(Permanent):
    """The order's state does not allow what was asked."""


class PolicyRefused(Permanent):
    """This version of the routing policy may not be changed or activated as it stands; the message says what to do."""


class OrderExists(Permanent):
    """Another request has placed this order already; `details["order_id"]` names it."""


class RequestInProgress(Permanent):
    """The same request is being worked on right now; ask again in a moment."""


class ReservationNotFound(Permanent):
    """The order names a reservation that never was."""


class ReservationConsumed(Permanent):
    """An order has the reservation already; `details["order_id"]` names it."""


class PromiseNotKept(Permanent):
    """Nothing arrives by `details["promised_by"]`. `details["alternatives"]` are plans that arrive later, soonest
    first; where there are none, `details["why"]` says what is missing."""


class ChannelRefused(Permanent):
    """The channel understood what we said and will not have it. `status` is that of its HTTP answer, `codes` are the
    channel's own codes for why: no text of the answer is kept, it may hold people's data."""

    def __init__(self, message: str, *, status: int, codes: tuple[str, ...] = ()) -> None:
        super().__init__(message, status=status, codes=list(codes))
        self.status = status
        self.codes = codes


class NotSupported(Permanent):
    """The channel offers no way to do this; the message says what a person has to do there."""


class OutOfStock(Permanent):
    """Not enough stock at the locations the order may ship from. `shortages` maps sku to missing units."""

    def __init__(self, shortages: dict[str, int]) -> None:
        super().__init__("not enough stock for " + ", ".join(sorted(shortages)), shortages=shortages)
        self.shortages = shortages


class NoRoute(Permanent):
    """No location may ship the order, whatever the stock. `reasons` maps location_id to why not."""

    def __init__(self, reasons: dict[str, str]) -> None:
        super().__init__("no location may ship this order", reasons=reasons)
        self.reasons = reasons


class InReview(Permanent):
    """The order waits for a person's decision."""


class Rerouted(Permanent):
    """Work came back from a location and must be allocated again."""


class Cancelled(Permanent):
    """The order was cancelled; there is nothing left to do."""


class InvariantBroken(Permanent):
    """An equation that always holds does not: a bug, never a customer's mistake."""


class WriteConflict(Retryable):
    """Someone else wrote first, more often than we retry."""


class Throttled(Retryable):
    """The service asked us to slow down."""


class CredentialsRefused(Retryable):
    """The other side refuses our credentials. Nothing is lost: what was to be done is tried again and again."""


class Unavailable(Retryable):
    """No answer, or one that leaves the outcome unknown."""


class OutOfTime(Retryable):
    """The invocation ends before an answer could come. It says nothing of the other side, which nobody rests from."""
