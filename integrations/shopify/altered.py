"""What was altered in a Shopify shop: prices, promotions, stock and themes, as changes."""

from datetime import datetime

from pydantic import Field

from integrations.inbound import Delivery, Payload, Received, change_id, parse, title_of
from recoup.domain.base import Moment
from recoup.domain.changes import Change, ChangeKind
from recoup.domain.ids import derive_id


class _Theme(Payload):
    id: int
    name: str = ""
    role: str
    updated_at: Moment


class _Variant(Payload):
    id: int
    price: str
    compare_at_price: str | None = None


class _Product(Payload):
    id: int
    title: str
    updated_at: Moment
    variants: list[_Variant] = Field(min_length=1)


class _Level(Payload):
    inventory_item_id: int
    location_id: int
    available: int | None
    updated_at: Moment


class _Discount(Payload):
    admin_graphql_api_id: str = Field(min_length=1)
    title: str = ""
    status: str = ""
    updated_at: Moment | None = None
    deleted_at: Moment | None = None


class _PriceRule(Payload):
    id: int
    title: str = ""
    value: str | float = ""
    value_type: str = ""
    starts_at: Moment | None = None
    updated_at: Moment | None = None


def theme(delivery: Delivery) -> Received:
    """Return the publication of a theme: what everybody sees was replaced."""
    body = parse(_Theme, delivery.body)
    if body.role != "main":
        return Received()
    change = Change(
        id=change_id("shopify", "theme", body.id, _stamp(body.updated_at)),
        kind=ChangeKind.DEPLOY,
        time=body.updated_at,
        title=title_of(f"theme {body.name} published"),
        ref=str(body.id),
    )
    return Received([change])


def price(delivery: Delivery) -> Received:
    """Return the prices of a product that was updated.

    Shopify tells of any update. The id is made of the prices and the day, so that a product whose
    texts or stock are updated all day long counts once, unless its prices change.
    """
    body = parse(_Product, delivery.body)
    prices = [(variant.id, variant.price, variant.compare_at_price) for variant in body.variants]
    digest = derive_id("prices", *sorted(prices, key=str))
    shown = sorted({variant.price for variant in body.variants})
    span = shown[0] if len(shown) == 1 else f"{len(shown)} prices"
    change = Change(
        id=change_id("shopify", "price", body.id, f"{body.updated_at:%Y%m%d}", digest),
        kind=ChangeKind.PRICE,
        time=body.updated_at,
        title=title_of(f"{body.title} at {span}"),
        ref=str(body.id),
    )
    return Received([change])


def stock(delivery: Delivery) -> Received:
    """Return that a product sold out somewhere; other levels are no change of the shop."""
    body = parse(_Level, delivery.body)
    if body.available is None or body.available > 0:
        return Received()
    occasion = _stamp(body.updated_at)
    change = Change(
        id=change_id("shopify", "stock", body.inventory_item_id, body.location_id, occasion),
        kind=ChangeKind.INVENTORY,
        time=body.updated_at,
        title=f"item {body.inventory_item_id} sold out at location {body.location_id}",
        ref=str(body.inventory_item_id),
    )
    return Received([change])


def discount(delivery: Delivery) -> Received:
    """Return that a discount was made, altered or deleted."""
    body = parse(_Discount, delivery.body)
    time = body.deleted_at or body.updated_at or delivery.now
    name = body.title or body.admin_graphql_api_id.rpartition("/")[2]
    verb = "deleted" if body.deleted_at else (body.status.lower() or "changed")
    change = Change(
        id=change_id("shopify", "discount", body.admin_graphql_api_id, _stamp(time)),
        kind=ChangeKind.PROMO,
        time=time,
        title=title_of(f"discount {name} {verb}"),
        ref=body.admin_graphql_api_id[:500],
    )
    return Received([change])


def price_rule(delivery: Delivery) -> Received:
    """Return that a price rule was made, altered or deleted; it works from its start on."""
    body = parse(_PriceRule, delivery.body)
    told = body.updated_at or delivery.now
    time = max(told, body.starts_at) if body.starts_at else told
    worth = f" {body.value} {body.value_type}" if body.value else " deleted"
    change = Change(
        id=change_id("shopify", "price_rule", body.id, _stamp(told) if body.updated_at else "gone"),
        kind=ChangeKind.PROMO,
        time=time,
        title=title_of(f"price rule {body.title or body.id}{worth}"),
        ref=str(body.id),
    )
    return Received([change])


def _stamp(moment: datetime) -> str:
    return f"{moment:%Y%m%dT%H%M%S}"
