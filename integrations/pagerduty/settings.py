"""What Recoup needs to know of your PagerDuty service."""

from typing import ClassVar

from pydantic import Field, SecretStr

from recoup.settings import Section


class PagerDutySettings(Section):
    """Pages go through the Events API v2."""

    section_name: ClassVar[str] = "pagerduty"

    base_url: str = Field(default="https://events.pagerduty.com", description="Events API v2")
    routing_key: SecretStr | None = Field(
        default=None, description="the integration key of the service that is to be paged"
    )
