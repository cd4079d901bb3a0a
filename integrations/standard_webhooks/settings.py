"""The secrets of whoever sends generic webhooks."""

from typing import ClassVar

from pydantic import Field, SecretStr, field_validator

from integrations.signatures import check_standard_secret
from recoup.domain.errors import ConfigurationError
from recoup.settings import Section


class StandardWebhooksSettings(Section):
    """Changes from any system, signed as Standard Webhooks asks, sent to /hooks/standard."""

    section_name: ClassVar[str] = "standard_webhooks"

    webhook_secret: SecretStr | None = Field(
        default=None, description="whsec_ and base64 of 24 bytes or more; not the outbound one"
    )
    previous_secret: SecretStr | None = Field(
        default=None, description="the secret before it, taken as well while senders move over"
    )

    @field_validator("webhook_secret", "previous_secret")
    @classmethod
    def _usable(cls, value: SecretStr | None) -> SecretStr | None:
        """Refuse at the start what would refuse every message later."""
        try:
            if value is not None:
                check_standard_secret(value.get_secret_value())
        except ConfigurationError as error:
            raise ValueError(str(error)) from error
        return value
