"""The page "Asking the tables": every statement on it runs, and finds what the real flows left in the tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from oms.stores.attribute_values import from_item
from oms.stores.contacts import ContactsStore
from tests.e2e.company import LONG_SECONDS, Company, Sent, fresh
from tests.template import expanded
from tools.local_stack import PROJECT
from tools.waiting import wait_until

PAGE = PROJECT / "docs" / "asking-the-tables.md"
STATEMENT = re.compile(r"^```sql\n(.+?)\n```$", re.MULTILINE | re.DOTALL)
TARGET = re.compile(r'FROM "oms-prod-(?P<table>\w+)"(?:\."(?P<index>\w+)")?')
CLOSED = "WH-ALLENTOWN"
STORE = "STORE-SEATTLE"
"""It counts its parcels per day."""

HOLD = "FRAUD_CHECK"
SHORT_SKU = "DUTCH-OVEN-5"
LISTED_SKU = "MUG-STONE-350"
FOLLOWED_SECONDS = 15.0
"""Read models and what channels are owed follow the orders by seconds."""

FAR_TOO_MANY = 90_000
"""So many units of a SKU at one location that nobody believes the count unseen."""

Rows = list[dict[str, Any]]
Answers = Callable[["Facts", Rows], bool]


def statements() -> list[tuple[str, str]]:
    """(question, statement) of every statement on the page, in order."""
    sections = re.split(r"^## ", PAGE.read_text("utf-8"), flags=re.MULTILINE)[1:]
    return [(part.partition("\n")[0], found) for part in sections for found in STATEMENT.findall(part)]


@dataclass(frozen=True)
class Facts:
    """What the flows made, and what stands for the placeholders of the page."""

    delivered: dict[str, Any]
    waits_for_stock: str
    in_review: str
    held: str
    not_told: str
    kept_message: str
    cart: str
    values: dict[str, str]


def has(column: str, fact: Callable[[Facts], Any]) -> Answers:
    """Some row has the fact in this column."""
    return lambda facts, rows: fact(facts) in [row.get(column) for row in rows]


def only(answers: Answers) -> Answers:
    """One row, and it is the right one."""
    return lambda facts, rows: len(rows) == 1 and answers(facts, rows)


def order_id(facts: Facts) -> str:
    return str(facts.delivered["order_id"])


EXPECTED: dict[str, list[Answers]] = {
    "What is overdue, by cause": [has("order_id", lambda facts: facts.waits_for_stock)],
    "What needs a person": [has("order_id", lambda facts: facts.in_review)],
    "Fraud and other holds": [has("order_id", lambda facts: facts.held)],
    "What must ship within six hours": [has("order_id", lambda facts: facts.waits_for_stock)],
    "Order number, tracking number": [only(has("order_id", order_id)), only(has("order_id", order_id))],
    "A caller's orders, by email or phone": [has("order_id", order_id), has("order_id", order_id)],
    "A customer's orders": [has("order_id", order_id)],
    "Why split, why late, what happened": [
        only(has("status", lambda facts: "DELIVERED")),
        lambda facts, rows: rows[0]["events"][0]["type"] == "OrderReceived",
    ],
    "Why did it ship from there?": [
        lambda facts, rows: rows[0]["parcels"][0]["location_id"] in rows[0]["stock"] and rows[0]["cost_minor"] > 0
    ],
    "Who waits for a SKU": [has("order_id", lambda facts: facts.waits_for_stock)],
    "Whose orders hold a SKU": [
        has("order_id", lambda facts: facts.not_told),
        has("order_id", lambda facts: facts.not_told),
        has("order_id", lambda facts: facts.waits_for_stock),
    ],
    "What is oversold now": [has("sku", lambda facts: facts.values["held_sku"])],
    "Why is stock 3?": [
        has("location_id", lambda facts: facts.values["location_id"]),
        lambda facts, rows: order_id(facts) in [one.get("order_id") for row in rows for one in row["entries"]],
    ],
    "Everything at a location": [has("sku", lambda facts: facts.values["sku"])],
    "A location's ledger of one day": [has("sku", lambda facts: facts.values["sku"])],
    "How full is tomorrow?": [has("day", lambda facts: facts.values["capacity_day"])],
    "Which counts wait for approval": [
        has("document_id", lambda facts: facts.values["document_id"]),
        only(has("status", lambda facts: "AWAITING_APPROVAL")),
    ],
    "Which carts' holds end soon": [has("reservation_id", lambda facts: facts.cart)],
    "What was a channel told of a SKU": [
        has("channel_account", lambda facts: facts.values["account"]),
        has("message_key", lambda facts: f"availability#{LISTED_SKU}"),
    ],
    "A channel's orders of one day": [has("order_id", order_id)],
    "Which destination is behind": [has("order_id", lambda facts: facts.not_told)],
    "What was a location told": [only(has("status", lambda facts: "SENT"))],
    "Is every channel being read?": [has("status", lambda facts: "OK")],
    "What could not be understood": [has("reason", lambda facts: "MALFORMED_JSON")],
}


@pytest.fixture(scope="module")
def facts(company: Company) -> Iterator[Facts]:
    """Orders that ended, wait, are held and are looked at; a warehouse that is down while the questions are asked."""
    company.invoke("schedule-poll", {})
    delivered, short = company.place("two_lines"), company.place("more_than_there_is")
    in_review, held = _placed(company, total_minor=1), _placed(company)
    assert company.call("POST", f"/orders/{held}/holds", {"type": HOLD}).status == 200
    spoiled = company.order("two_lines")
    company.deliver(company.signed(spoiled.message, spoiled.message.body[:-1]))
    company.until_all([delivered], LONG_SECONDS, status="DELIVERED")
    company.until_all([short], waiting_for="STOCK")
    company.until("it waits for its hold", lambda: company.query("orders", order_id=held)[0]["waiting_for"] == "HOLD")
    company.lengthen(held)
    assert company.call("POST", f"/orders/{held}/notes", {"text": "One more."}).status == 200
    cart, count, capacity_day = _hold(company), _count_too_many(company), _sent_from_the_store(company)
    with company.down(CLOSED):
        split = company.place("must_be_split")
        company.until("a request failed", lambda: bool(_failed(company, split)), LONG_SECONDS)
        held_sku, on_hand = _count_none_of_what_is_held(company, split)
        document = company.document(delivered)
        yield Facts(
            delivered=document,
            waits_for_stock=short.order_id,
            in_review=in_review,
            held=held,
            not_told=split.order_id,
            kept_message=spoiled.message.headers["x-shopify-webhook-id"],
            cart=cart["reservation_id"],
            values=_values(company, document, delivered, held)
            | {"held_sku": held_sku, "document_id": f"snapshot#{count}"}
            | {"expiry_hour": cart["expires_at"][:13], "expires_at": cart["expires_at"]}
            | {"store_id": STORE, "capacity_day": capacity_day},
        )
    company.sweep_until("it is delivered", lambda: company.all_have([split], status="DELIVERED"))
    company.count(held_sku, CLOSED, on_hand)
    assert company.call("POST", f"/stock/snapshots/{count}/approval", {"decision": "REJECT"}).status < 300
    assert company.call("DELETE", f"/reservations/{cart['reservation_id']}").status < 300


def _placed(company: Company, **changes: Any) -> str:
    answer = company.call("POST", "/orders", company.direct_order() | changes, key=fresh("key"))
    return str(answer.json()["order_id"])


def _hold(company: Company) -> dict[str, Any]:
    """A cart that holds a unit for half an hour."""
    body = {"reservation_id": fresh("cart"), "minutes": 30, "lines": [{"sku": LISTED_SKU, "quantity": 1}]}
    answer = company.call("POST", "/reservations", body | {"ship_to": {"country": "US", "region": "NJ"}})
    assert answer.status == 201, answer.body
    made: dict[str, Any] = answer.json()
    return made


def _sent_from_the_store(company: Company) -> str:
    """An order for what only the store has; returns the day on which it holds a place there."""
    sku = company.product()
    company.receive(sku, STORE, 1)
    order_id = company.buy(sku, 1)
    company.until("it has a place", lambda: bool(company.query("orders", order_id=order_id)[0].get("fulfillments")))
    (work,) = company.query("orders", order_id=order_id)[0]["fulfillments"]
    return str(work["capacity_day"])


def _count_too_many(company: Company) -> str:
    """A count that a person must look at before it is booked."""
    count, moment = fresh("count"), _time(datetime.now(UTC))
    body = {"snapshot_id": count, "location_id": CLOSED, "as_of": moment}
    rows = {"rows": [{"sku": LISTED_SKU, "on_hand": FAR_TOO_MANY}]}
    answer = company.call("POST", "/stock/snapshots", body | rows)
    assert answer.status < 300, answer.body

    def waits() -> bool:
        heads = company.query("stock_documents", document_id=f"snapshot#{count}")
        return any(row.get("open_status") == "AWAITING_APPROVAL" for row in heads)

    company.until("the count waits for approval", waits)
    return count


def _count_none_of_what_is_held(company: Company, sent: Sent) -> tuple[str, int]:
    """What the closed location was to ship is not on its shelves; returns the sku and what there is left of it then."""
    (work,) = (one for one in company.document(sent)["fulfillments"] if one["location_id"] == CLOSED)
    sku, units = work["lines"][0]["sku"], work["lines"][0]["open"]
    position = company.position(sku, CLOSED)
    company.count(sku, CLOSED, 0)
    company.until("it shows as oversold", lambda: company.position(sku, CLOSED).get("problem") == "OVERSOLD")
    return sku, position["on_hand"] - units


def _failed(company: Company, sent: Sent) -> list[dict[str, Any]]:
    rows = company.query("deliveries", destination=f"location#{CLOSED}")
    return [row for row in rows if row["order_id"] == sent.order_id and "failed_destination" in row]


def _values(company: Company, document: dict[str, Any], sent: Sent, long_order_id: str) -> dict[str, str]:
    """What a person would write in the place of each placeholder."""
    fulfillment = document["fulfillments"][0]
    secret = company.client("secretsmanager").get_secret_value(SecretId="oms/local/contacts/hash-key")["SecretString"]
    contacts = ContactsStore(company.system.world.tables, "oms-local-", hash_key=lambda: secret)
    now, buyer = datetime.now(UTC), sent.identity.buyer
    return {
        "cause": "STOCK",
        "now": _time(now + timedelta(days=30)),
        "hold_type": HOLD,
        "account": f"{document['channel']}#{document['account']}",
        "in_six_hours": _time(now + timedelta(days=30)),
        "order_number": document["order_number"].lstrip("#"),
        "carrier": fulfillment["shipments"][0]["carrier"],
        "tracking_number": fulfillment["shipments"][0]["tracking_number"],
        "email_hash": contacts.keyed_hash(buyer["email"].lower()),
        "phone_hash": contacts.keyed_hash(buyer["phone"][-10:]),
        "customer_id": document["customer_id"],
        "order_id": document["order_id"],
        "long_order_id": long_order_id,
        "short_sku": SHORT_SKU,
        "listed_sku": LISTED_SKU,
        "sku": fulfillment["lines"][0]["sku"],
        "location_id": fulfillment["location_id"],
        "closed_location_id": CLOSED,
        "day": document["placed_at"][:10],
        "source": f"{document['channel']}#{document['account']}",
        "since": document["placed_at"][:10],
    }


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize(
    ("question", "statement"), [pytest.param(*pair, id=f"{pair[0]}-{n}") for n, pair in enumerate(statements())]
)
def test_a_statement_of_the_page_finds_what_the_flows_left(
    company: Company, facts: Facts, question: str, statement: str
) -> None:
    place = [text for asked, text in statements() if asked == question].index(statement)
    rows: Rows = []

    def answered() -> bool:
        rows[:] = _run(company, _filled(statement, facts.values))
        return EXPECTED[question][place](facts, rows)

    assert wait_until(answered, FOLLOWED_SECONDS), rows[:5]


def _filled(statement: str, values: dict[str, str]) -> str:
    """The statement as somebody types it. Raises KeyError for a placeholder nobody can know."""
    return re.sub(r"<(\w+)>", lambda found: values[found[1]], statement).replace('"oms-prod-', '"oms-local-')


def _run(company: Company, statement: str) -> Rows:
    request, rows = {"Statement": statement}, []
    for _ in range(100):
        answer = company.system.world.tables.execute_statement(**request)
        rows += [from_item(item) for item in answer["Items"]]
        if "NextToken" not in answer:
            return rows
        request["NextToken"] = answer["NextToken"]
    raise AssertionError(f"it does not end: {statement}")


def test_every_question_of_the_page_has_its_expected_answer() -> None:
    asked: dict[str, int] = {}
    for question, _ in statements():
        asked[question] = asked.get(question, 0) + 1
    assert asked == {question: len(answers) for question, answers in EXPECTED.items()}


def test_every_question_is_listed_at_the_top_of_the_page() -> None:
    listed = re.findall(r"^\| \[(.+?)\]\(#(.+?)\)", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    assert [title for title, _ in listed] == list(dict.fromkeys(question for question, _ in statements()))
    for title, anchor in listed:
        assert anchor == re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")


@pytest.mark.parametrize(
    ("question", "statement"), [pytest.param(*pair, id=f"{pair[0]}-{n}") for n, pair in enumerate(statements())]
)
def test_no_statement_of_the_page_reads_a_whole_table(question: str, statement: str) -> None:
    target = TARGET.search(statement)
    assert target is not None, question
    key = _hash_key(target["table"], target["index"])
    assert re.search(rf"WHERE {key} = '", statement), f"{question} names no {key}"


def _hash_key(table: str, index: str | None) -> str:
    """The partition key of a table, or of its index, as the template has it."""
    for resource in expanded.of_type(expanded.expand("prod"), "AWS::DynamoDB::Table").values():
        properties = resource["Properties"]
        if properties["TableName"] == f"oms-prod-{table}":
            indexes = {one["IndexName"]: one for one in properties.get("GlobalSecondaryIndexes", [])}
            schema = indexes[index]["KeySchema"] if index else properties["KeySchema"]
            return str(schema[0]["AttributeName"])
    raise AssertionError(f"no table {table}")
