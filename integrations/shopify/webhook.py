"""Shopify's webhooks: orders and checkouts are events; prices, promotions, stock, themes changes.

The topic stands in a header that is not signed, so a body must have the shape of its topic, and
ids come from the signed body: a repeat or a replay counts once.
"""

from collections.abc import Callable
from datetime import datetime

from integrations.inbound import Delivery, Received, Webhook, parse, secret_of
from integrations.shopify.altered import discount, price, price_rule, stock, theme
from integrations.shopify.orders import Checkout, Order, checkout_started, order_completed
from integrations.shopify.settings import ShopifySettings
from integrations.signatures import hmac_base64, verify_base64
from recoup.domain.errors import NotAllowed


def read(settings: ShopifySettings, delivery: Delivery) -> Received:
    """Return what a delivery tells; a topic that is not read here tells nothing."""
    secret = secret_of(settings, "webhook_secret")
    given = delivery.headers.get("x-shopify-hmac-sha256", "")
    verify_base64(secret, delivery.body, given)
    domain = delivery.headers.get("x-shopify-shop-domain", "")
    if settings.shop_domain and domain != settings.shop_domain:
        raise NotAllowed(f"this is of another shop than {settings.shop_domain}")
    reader = _READERS.get(delivery.headers.get("x-shopify-topic", ""))
    return reader(delivery) if reader else Received()


def _order(delivery: Delivery) -> Received:
    return Received(events=order_completed(parse(Order, delivery.body)))


def _checkout(delivery: Delivery) -> Received:
    return Received(events=checkout_started(parse(Checkout, delivery.body)))


_READERS: dict[str, Callable[[Delivery], Received]] = {
    "orders/create": _order,
    "checkouts/create": _checkout,
    "products/update": price,
    "inventory_levels/update": stock,
    "themes/publish": theme,
    **{f"discounts/{verb}": discount for verb in ("create", "update", "delete")},
    **{f"price_rules/{verb}": price_rule for verb in ("create", "update", "delete")},
}


def sign(settings: ShopifySettings, body: bytes, _now: datetime) -> dict[str, str]:
    """Return the headers with which the vendor would send a body."""
    return {"x-shopify-hmac-sha256": hmac_base64(secret_of(settings, "webhook_secret"), body)}


WEBHOOK = Webhook(
    name="shopify",
    section=ShopifySettings,
    summary="Take in an order, a checkout or a change of the shop from Shopify",
    read=read,
    sign=sign,
)
