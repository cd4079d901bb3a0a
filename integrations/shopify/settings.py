"""What Recoup needs to know of your Shopify shop."""

from typing import ClassVar

from pydantic import Field, SecretStr

from recoup.settings import Section


class ShopifySettings(Section):
    """Webhooks of the shop, sent to /hooks/shopify; topics are chosen in Shopify."""

    section_name: ClassVar[str] = "shopify"

    webhook_secret: SecretStr | None = Field(
        default=None,
        description="what signs webhooks to /hooks/shopify: an app's client secret, "
        "or the one shown beside webhooks made in the admin",
    )
    shop_domain: str = Field(
        default="", description="the *.myshopify.com name; when set, other shops are refused"
    )
