"""What Recoup needs to know of your TikTok ad account."""

from typing import ClassVar

from pydantic import Field, SecretStr

from recoup.settings import Section


class TikTokAdsSettings(Section):
    """Campaigns of one advertiser are read and paused through the Business API."""

    section_name: ClassVar[str] = "tiktok_ads"

    base_url: str = Field(
        default="https://business-api.tiktok.com/open_api/v1.3", description="Business API"
    )
    access_token: SecretStr | None = Field(
        default=None, description="a token that may change campaigns of the advertiser"
    )
    advertiser_id: str = Field(default="", pattern=r"^\d*$", description="the ad account")

    @property
    def configured(self) -> bool:
        """Whether campaigns can be read and paused."""
        return bool(self.access_token and self.advertiser_id)
