"""Cancellations told to Shopify.

Options: `notify_customer`, "true" if Shopify is to write to the customer, and `refund_on_cancel`, "true" if it is to
give the money back; neither is done by default.
"""

from __future__ import annotations

from oms.channels.client import ChannelApi
from oms.channels.shopify_api import gid, graphql, is_on, order_of, refuse, user_codes
from oms.domain.channel_messages import CancellationNotice
from oms.domain.errors import NotSupported, Unavailable

REASONS = {
    "NO_STOCK": "INVENTORY",
    "BUYER_REQUEST": "CUSTOMER",
    "CUSTOMER": "CUSTOMER",
    "FRAUD": "FRAUD",
    "PAYMENT": "DECLINED",
}
"""Our reasons in Shopify's words; any other is OTHER."""

_CANCELLED = """
query Cancelled($order: ID!) {
  order(id: $order) { cancelledAt }
}
"""
_CANCEL = """
mutation Cancel(
  $order: ID!, $reason: OrderCancelReason!, $refund: OrderCancelRefundMethodInput!, $notify: Boolean!
) {
  orderCancel(orderId: $order, reason: $reason, refundMethod: $refund, restock: false, notifyCustomer: $notify) {
    job { id }
    orderCancelUserErrors { code field message }
  }
}
"""


def confirm_cancellation(api: ChannelApi, notice: CancellationNotice) -> None:
    """Cancels the whole order there; one that is cancelled already stays so. Stock is not put back: it is published.

    Raises NotSupported for a part of an order, NotFound, ChannelRefused with Shopify's codes, and what
    `ChannelApi.call` does.
    """
    if not notice.whole:
        raise NotSupported("Shopify cancels whole orders only: remove these units in its admin, by Edit on the order")
    if _is_cancelled(api, notice):
        return
    variables = {
        "order": gid("Order", notice.channel_order_id),
        "reason": REASONS.get(notice.reason, "OTHER"),
        "refund": {"originalPaymentMethodsRefund": is_on(api, "refund_on_cancel")},
        "notify": is_on(api, "notify_customer"),
    }
    errors = graphql(api, _CANCEL, variables)["orderCancel"]["orderCancelUserErrors"]
    if "INTERNAL_ERROR" in user_codes(errors):
        raise Unavailable("Shopify could not cancel the order now")
    # by now another worker, or a person, may have cancelled it: that is no refusal
    if errors and not _is_cancelled(api, notice):
        refuse(errors)


def _is_cancelled(api: ChannelApi, notice: CancellationNotice) -> bool:
    answer = graphql(api, _CANCELLED, {"order": gid("Order", notice.channel_order_id)})
    return order_of(answer)["cancelledAt"] is not None
