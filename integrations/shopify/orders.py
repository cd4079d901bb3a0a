"""Shopify's checkouts and orders as storefront events; the checkout's token is the session."""

from typing import Annotated

from pydantic import Field

from integrations.eventing import dims_of, event
from integrations.inbound import Event, Payload
from recoup.domain.base import Moment
from recoup.domain.storefront import CHECKOUT_STARTED, ORDER_COMPLETED


class _Customer(Payload):
    id: int


class _Address(Payload):
    country_code: str | None = None
    province_code: str | None = None


class _Client(Payload):
    user_agent: str | None = None


class _Sale(Payload):
    created_at: Moment
    total_price: Annotated[float, Field(allow_inf_nan=False)]
    currency: str = ""
    cart_token: str | None = None
    customer: _Customer | None = None
    landing_site: str | None = None
    source_name: str | None = None
    client_details: _Client | None = None
    shipping_address: _Address | None = None
    billing_address: _Address | None = None


class Order(_Sale):
    """What is read of an order."""

    id: int
    checkout_token: str | None = None
    test: bool = False
    payment_gateway_names: list[str] = Field(default_factory=list)


class Checkout(_Sale):
    """What is read of a checkout."""

    token: str = Field(min_length=1)


def order_completed(order: Order) -> list[Event]:
    """Return the event of an order; of a test order nothing."""
    if order.test:
        return []
    gateway = next(iter(order.payment_gateway_names), "")
    session = order.checkout_token or order.cart_token or f"order-{order.id}"
    return [
        event(
            f"shopify:order:{order.id}",
            ORDER_COMPLETED,
            order.created_at,
            session,
            user=_user(order),
            dims={**_dims(order), "provider": gateway},
            props=_worth(order),
        )
    ]


def checkout_started(checkout: Checkout) -> list[Event]:
    """Return the event of a checkout."""
    return [
        event(
            f"shopify:checkout:{checkout.token}",
            CHECKOUT_STARTED,
            checkout.created_at,
            checkout.token,
            user=_user(checkout),
            dims=_dims(checkout),
            props=_worth(checkout),
        )
    ]


def _user(sale: _Sale) -> str:
    return f"shopify:{sale.customer.id}" if sale.customer else ""


def _dims(sale: _Sale) -> dict[str, str]:
    address = sale.shipping_address or sale.billing_address or _Address()
    agent = (sale.client_details.user_agent if sale.client_details else None) or ""
    return {
        **dims_of(agent, sale.landing_site or ""),
        "country": address.country_code or "",
        "region": address.province_code or "",
        "channel": sale.source_name or "",
    }


def _worth(sale: _Sale) -> dict[str, object]:
    return {"value": sale.total_price, "currency": sale.currency}
