"""What an audit of stock says to an operator: what stands where, what it should be, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from oms.domain.stock import Bucket

MAX_NAMED = 5
"""Movements or records named in a sentence; the others are counted."""

Figures = Mapping[Bucket, int]

_BELIEVING = {
    "LEDGER": "The ledger agrees with orders and carts, so the position is set to it.",
    "POSITION": "The position agrees with orders and carts, so a movement adds to the ledger what it lacks.",
}
_HISTORY = {
    "UNEVEN_MOVEMENT": "does not add up in itself: its buckets do not balance, or its entries are not what it moved",
    "UNKNOWN_ORDER": "names an order that does not exist",
    "UNKNOWN_VERSION": "names a version of its order that the order's history does not tell of",
}
_HISTORY_ADVICE = {
    "UNEVEN_MOVEMENT": "Somebody changed or wrote this row by hand: restore it from the table's backup.",
    "UNKNOWN_ORDER": "The order was deleted: restore it from the backup of orders. If it must stay away, give its "
    "units back with --trust orders.",
    "UNKNOWN_VERSION": "The order was put back to an older state: restore it from the backup of orders, or bring the "
    "stock to what it says now with --trust orders.",
}


def figures(values: Figures) -> str:
    """`on_hand 10, available 8, committed 2`: buckets without units are left out, on_hand never."""
    shown = [f"{bucket} {values.get(bucket, 0)}" for bucket in Bucket if bucket is Bucket.ON_HAND or values.get(bucket)]
    return ", ".join(shown)


def position(sku: str, location_id: str, stands: Figures, ledger: Figures, held: Figures, has_movements: bool) -> str:
    """What stands at a position, beside what its movements, the orders and the carts say."""
    moved = f"its movements add up to {figures(ledger)}" if has_movements else "it has no movements"
    uneven = stands.get(Bucket.ON_HAND, 0) != sum(units for bucket, units in stands.items() if bucket != Bucket.ON_HAND)
    return (
        f"{sku} at {location_id} stands at {figures(stands)}{' (which does not add up)' if uneven else ''}; {moved}; "
        f"orders hold {held.get(Bucket.COMMITTED, 0)}, carts {held.get(Bucket.RESERVED, 0)}."
    )


def holder(order_id: str, reservation_id: str, bucket: str, in_ledger: int, in_document: int) -> str:
    """Which order or cart the ledger does not agree with, and what half is missing."""
    who = f"Order {order_id}" if order_id else f"Cart {reservation_id}"
    what = "promised" if bucket == Bucket.COMMITTED else "held"
    missing = "units were taken" if in_document > in_ledger else "units were given up"
    return (
        f"{who} holds {in_document} by its document, {in_ledger} were {what} to it by the movements: "
        f"the movement by which {abs(in_document - in_ledger)} {missing} is missing, or the document's side is."
    )


def advice(sku: str, safe: str | None, possible: Sequence[str], unreadable: Sequence[str]) -> str:
    """What to do about a position."""
    if unreadable:
        return f"Not safe to repair: {_named(unreadable)} can't be read. Mend that first, then run the audit again."
    if safe:
        return f"Safe to repair (--repair). {_BELIEVING[safe]} If in doubt, count the shelf afterwards."
    if not possible:
        return "Not safe to repair: neither position nor ledger adds up. Restore the movements named below."
    if list(possible) == ["ORDERS"]:
        return (
            "Not safe to repair: position and ledger agree, the documents do not. Look at the orders and carts named; "
            f"if their documents are right: --repair --sku {sku} --trust orders."
        )
    choices = " or ".join(f"--trust {one.lower()}" for one in possible)
    return (
        "Not safe to repair by itself: it can't be told which is right. Decide which (a count of the shelf helps), "
        f"then --repair --sku {sku} {choices}, then book the count."
    )


def history(kind: str, sku: str, order_id: str, movement_ids: Sequence[str]) -> str:
    """What is wrong with movements themselves."""
    whose = f", order {order_id}" if order_id else ""
    return f"{sku}{whose}: movement {_named(movement_ids)} {_HISTORY[kind]}."


def history_advice(kind: str) -> str:
    """What to do about movements that are wrong."""
    return f"Not safe to repair: history is never edited. {_HISTORY_ADVICE[kind]}"


def queue_row(order_id: str, key: tuple[str, str], found: int, wanted: int) -> str:
    """A row of `backorders` that is not what its order waits for."""
    stands = f"waits for {found}" if found else "is missing"
    return f"Order {order_id} waits for {wanted} of {key[0]}, but its row {key[1]} in backorders {stands}."


def queue_advice(key: tuple[str, str], wanted: int) -> str:
    """What to do about a row of `backorders`."""
    sku, queue_key = key
    if not wanted:
        return f"Nobody waits by it, but others are kept behind it: delete the row ({sku}, {queue_key})."
    return f"The order can't be woken in its turn: put the row ({sku}, {queue_key}) with quantity {wanted}."


def unreadable(table: str, name: str, why: str) -> tuple[str, str]:
    """(what it says, what to do) of a record that can't be understood."""
    return f"{name} in {table} can't be read: {why}.", f"Restore {name} from the backup of {table}; nothing counts it."


def _named(names: Sequence[str]) -> str:
    more = len(names) - MAX_NAMED
    return ", ".join(names[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")
