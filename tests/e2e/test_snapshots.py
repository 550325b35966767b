"""A location is counted: in parts, then whole by a file; what differs much waits for a person."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.e2e.company import Company
from tools import web

LOCATION = "WH-COUNTED"
LAMP, VASE = "COUNTED-LAMP", "COUNTED-VASE"
LAMPS = 500


@pytest.fixture(autouse=True, scope="module")
def shelves(company: Company) -> None:
    """A location that nobody ships from, and what may lie there."""
    company.put("locations", {"location_id": LOCATION, "name": "Counted", "status": "SETUP"})
    for sku in (LAMP, VASE):
        company.put("products", {"sku": sku, "title": sku})


def snapshot(snapshot_id: str, minutes_ago: int, **facts: Any) -> dict[str, Any]:
    as_of = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    return {"snapshot_id": snapshot_id, "location_id": LOCATION, "as_of": as_of.isoformat(), **facts}


def report(company: Company, snapshot_id: str) -> Any:
    answer = company.call("GET", f"/stock/snapshots/{snapshot_id}")
    assert answer.status == 200, answer.body
    return answer.json()


def until_it_is(company: Company, snapshot_id: str, status: str) -> None:
    company.until(f"{snapshot_id} is {status}", lambda: report(company, snapshot_id)["status"] == status)


def units(company: Company) -> dict[str, int]:
    rows = [row for sku in (LAMP, VASE) for row in company.query("stock", sku=sku)]
    return {row["sku"]: row["on_hand"] for row in rows if row["location_id"] == LOCATION}


def test_what_is_counted_is_on_hand_what_is_left_out_is_not_and_much_waits_for_a_person(company: Company) -> None:
    rows = [{"sku": LAMP, "on_hand": 5}, {"sku": VASE, "on_hand": 4}, {"sku": "NOBODY-KNOWS", "on_hand": 1}]
    assert company.call("POST", "/stock/snapshots", snapshot("e2e-part", 2, rows=rows)).status == 202
    until_it_is(company, "e2e-part", "BOOKED")
    assert units(company) == {LAMP: 5, VASE: 4}
    assert [(row["row"], row["reason"]) for row in report(company, "e2e-part")["rows"]] == [(3, "UNKNOWN_SKU")]

    asked = company.call("POST", "/stock/snapshots", snapshot("e2e-file", 1, complete=True, file_format="CSV"))
    assert asked.status == 202, asked.body
    file = f"sku,on_hand\n{LAMP},{LAMPS}\n".encode()
    uploaded = web.send("PUT", asked.json()["upload_url"], {}, file)
    assert uploaded.is_success, uploaded.body
    assert company.call("POST", "/stock/snapshots/e2e-file/object").status == 202
    until_it_is(company, "e2e-file", "AWAITING_APPROVAL")
    assert units(company) == {LAMP: 5, VASE: 0}

    approval = {"decision": "APPROVE"}
    assert company.call("POST", "/stock/snapshots/e2e-file/approval", approval).status == 202
    until_it_is(company, "e2e-file", "BOOKED")
    assert units(company) == {LAMP: LAMPS, VASE: 0}
