"""The secret that signs what Recoup sends to a customer's own endpoints."""

from typing import ClassVar

from pydantic import Field, SecretStr

from recoup.settings import Names, Section


class WebhookSettings(Section):
    """Outbound calls and generic inbound changes follow Standard Webhooks."""

    section_name: ClassVar[str] = "webhook"

    secret: SecretStr | None = Field(
        default=None, description="whsec_ and base64, 24 bytes or more"
    )
    hosts: Names = Field(default=(), description="hosts that playbooks may call; empty: any")
