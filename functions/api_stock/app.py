"""Stock over HTTP: what there is of a SKU, and where."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.event_handler import Response

from oms.domain.stock import Bucket, StockPosition
from oms.runtime.clients import client
from oms.runtime.functions import lambda_handler, table_prefix
from oms.runtime.http_api import Api, answer
from oms.stores.stock import StockStore
from oms.usecases.reading import stock_of

stock = StockStore(client("dynamodb"), table_prefix())
api = Api()


@lambda_handler
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answers one request."""
    return api.resolve(event, context)


@api.get("/stock/.+")  # any SKU: the router's own parameters refuse some characters
def read_stock() -> Response[Any]:
    """Units by location and bucket, and in total; 404 when there never was any."""
    sku = api.path_parameter("sku")
    found = stock_of(stock, sku)
    positions = [_shown(position) for position in found.positions]
    return answer(200, {"sku": sku, "positions": positions, "totals": found.totals})


def _shown(position: StockPosition) -> dict[str, Any]:
    return {"location_id": position.location_id} | {bucket.value: getattr(position, bucket) for bucket in Bucket}
