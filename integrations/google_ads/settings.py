"""What Recoup needs to know of your Google Ads account."""

from typing import ClassVar, Literal

from pydantic import Field, SecretStr

from recoup.settings import Section


class GoogleAdsSettings(Section):
    """Campaigns of one customer are read and paused; access tokens come from a refresh token."""

    section_name: ClassVar[str] = "google_ads"

    base_url: str = Field(
        default="https://googleads.googleapis.com/v26", description="Google Ads API with version"
    )
    token_url: str = Field(
        default="https://oauth2.googleapis.com/token", description="where access tokens come from"
    )
    developer_token: SecretStr | None = Field(default=None, description="from the API Centre")
    client_id: str = Field(default="", description="of the OAuth client")
    client_secret: SecretStr | None = Field(default=None, description="of the OAuth client")
    refresh_token: SecretStr | None = Field(
        default=None, description="of a user who may change campaigns of the customer"
    )
    customer_id: str = Field(default="", pattern=r"^\d*$", description="the account, digits only")
    login_customer_id: str = Field(
        default="", pattern=r"^\d*$", description="the manager account, when access goes through it"
    )

    poll_s: int = Field(
        default=300, ge=0, description="how often its change events are read; 0 does not"
    )
    utm_campaign: Literal["name", "id", "other"] = Field(
        default="other",
        description="what of a campaign its events carry as `campaign`; other: found by the title",
    )

    @property
    def configured(self) -> bool:
        """Whether campaigns can be read and paused."""
        return bool(self.developer_token and self.refresh_token and self.customer_id)
