"""Many changes in few transactions: who shares one, what the ledger says of it, and where a transaction ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from ministack.services.dynamodb import _item_size_bytes

from oms.domain import stock as moves
from oms.domain.changes import Count, OrderChange, StockChange
from oms.domain.fulfilling import apply_report
from oms.domain.order import Order
from oms.domain.reservations import Reservation, ReservationStatus, ReservedLine, consume, reserve, taking
from oms.domain.stock import StockPosition
from oms.stores.attribute_values import to_item
from oms.stores.group_commit import Outcome
from tests.integration.commits import (
    EAST,
    HOT,
    WEST,
    Sent,
    committing,
    hot_changes,
    order_id,
    outcomes,
    placed,
    promising,
)
from tests.integration.company import NOON, at, balance, received, shelve
from tests.integration.fast_tables import fast_tables
from tests.integration.faults import Faults
from tests.integration.stage import Stage
from tests.unit import builders

MAX_ROW_BYTES = 8_000
MAX_REQUEST_BYTES = 4_000_000
