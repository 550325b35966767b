"""`contacts`: a person's data, in a table of its own with its own key, found by keyed hashes, gone in time.

A row may stand here before its order does, with nothing in it but that the person is to be forgotten.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator
from datetime import date
from typing import TYPE_CHECKING, Any

from oms.domain.errors import InvariantBroken
from oms.domain.incoming import Contact
from oms.stores.attribute_values import from_item
from oms.stores.documents import from_document, to_document
from oms.stores.table import ConditionFailedError, Page, Table, our_errors

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NOT_FORGOTTEN = "attribute_not_exists(forgotten)"
SCAN_PAGE, MAX_SCAN_PAGES = 1_000, 100_000


class ContactsStore:
    """The people behind the orders. `hash_key` gives the secret of the look-up hashes to who writes or searches."""

    def __init__(self, client: DynamoDBClient, table_prefix: str, hash_key: Callable[[], str] | None = None) -> None:
        self.table = Table(client, f"{table_prefix}contacts")
        self._hash_key = hash_key

    def get(self, order_id: str) -> Contact | None:
        """The person of an order, or None once purged."""
        item = self.table.get({"order_id": order_id})
        return from_document(Contact, item) if item and "forgotten" not in item else None

    def is_forgotten(self, order_id: str) -> bool:
        """Whether the person of an order was to be forgotten before the order came (strongly consistent)."""
        item = self.table.get({"order_id": order_id})
        return item is not None and "forgotten" in item

    def forget_ahead(self, order_id: str, purge_day: date) -> bool:
        """Notes, until that day, that the person of an order that is not here is to be forgotten.

        False where a person's data is there: then the order is here by now.
        """
        note = {"order_id": order_id, "forgotten": True, "purge_day": purge_day.isoformat()}
        try:
            self.table.put(note, "attribute_not_exists(order_id) OR attribute_exists(forgotten)")
        except ConditionFailedError:
            return False
        return True

    def put_action(self, order_id: str, contact: Contact, purge_day: date, *, knows_forgotten: bool) -> Any:
        """The put of a person's data; goes with the order's write, whose version guards both. Refused where the person
        was to be forgotten before the order came, and the order does not know."""
        item: dict[str, Any] = {
            "order_id": order_id,
            **to_document(contact),
            "purge_day": purge_day.isoformat(),
        }
        if contact.email:
            item["email_hash"] = self.keyed_hash(normal_email(contact.email))
        if contact.phone or contact.ship_to.phone:
            item["phone_hash"] = self.keyed_hash(normal_phone(contact.phone or contact.ship_to.phone))
        return self.table.put_action(item, "" if knows_forgotten else NOT_FORGOTTEN)

    def keyed_hash(self, value: str) -> str:
        """HMAC-SHA256 of a normalised email or phone number: finds a person, tells nothing without the key."""
        if self._hash_key is None:
            raise InvariantBroken("this function may not search people: it was given no hash key")
        return hmac.new(self._hash_key().encode(), value.encode(), hashlib.sha256).hexdigest()

    def orders_of_email(self, email: str, *, limit: int, cursor: str | None) -> Page:
        """One page of ids of the orders placed with this email."""
        return self._orders_of("email", self.keyed_hash(normal_email(email)), limit, cursor)

    def orders_of_phone(self, phone: str, *, limit: int, cursor: str | None) -> Page:
        """One page of ids of the orders placed with this phone number."""
        return self._orders_of("phone", self.keyed_hash(normal_phone(phone)), limit, cursor)

    def _orders_of(self, kind: str, value: str, limit: int, cursor: str | None) -> Page:
        condition = f"#{kind}_hash = :value"
        return self.table.query(condition, {":value": value}, index=f"by_{kind}", limit=limit, cursor=cursor)

    def to_purge(self, day: date, *, limit: int, cursor: str | None) -> Page:
        """One page of the orders whose person's data is to be looked at on this day."""
        values = {":day": day.isoformat()}
        return self.table.query("#purge_day = :day", values, index="by_purge_day", limit=limit, cursor=cursor)

    def postpone(self, order_id: str, seen: date, purge_day: date) -> None:
        """Looks at this person again on a later day; nothing happens if someone else decided meanwhile."""
        values = {":day": purge_day.isoformat(), ":seen": seen.isoformat()}
        try:
            self.table.update({"order_id": order_id}, "SET #purge_day = :day", values, "#purge_day = :seen")
        except ConditionFailedError:
            return

    def order_ids(self) -> Iterator[list[str]]:
        """Ids of the orders whose person's data is here, page by page: for operators, it reads the whole table."""
        request: dict[str, Any] = {"TableName": self.table.name, "ProjectionExpression": "order_id", "Limit": SCAN_PAGE}
        for _ in range(MAX_SCAN_PAGES):
            with our_errors():
                answer = self.table.client.scan(**request)
            yield [from_item(item)["order_id"] for item in answer["Items"]]
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
        raise InvariantBroken(f"{self.table.name}: more than {MAX_SCAN_PAGES} pages")

    def look_at_on(self, order_id: str, day: date) -> None:
        """Looks at this person on that day, whatever was said before; nothing happens where the data is gone."""
        try:
            self.table.update(
                {"order_id": order_id}, "SET #purge_day = :day", {":day": day.isoformat()}, "attribute_exists(order_id)"
            )
        except ConditionFailedError:
            return

    def forget(self, order_id: str) -> None:
        """Deletes a person's data, whatever its day is. The order must say so first: see `forget_person`."""
        self.table.delete({"order_id": order_id})

    def purge(self, order_id: str, seen: date) -> None:
        """Deletes a person's data; nothing happens if the order's data was renewed meanwhile."""
        try:
            self.table.delete({"order_id": order_id}, "#purge_day = :seen", {":seen": seen.isoformat()})
        except ConditionFailedError:
            return


def normal_email(email: str) -> str:
    """Lower case, no blanks around."""
    return email.strip().lower()


def normal_phone(phone: str) -> str:
    """Digits only; the last ten, so that `+1 206 555 0100` and `206-555-0100` are one number."""
    return "".join(character for character in phone if character.isdigit())[-10:]
