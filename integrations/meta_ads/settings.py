"""What Recoup needs to know of your Meta ad account."""

from typing import ClassVar

from pydantic import Field, SecretStr

from recoup.settings import Section


class MetaAdsSettings(Section):
    """Campaigns are read and paused through the Marketing API."""

    section_name: ClassVar[str] = "meta_ads"

    base_url: str = Field(default="https://graph.facebook.com/v23.0", description="Graph API")
    access_token: SecretStr | None = Field(
        default=None, description="a token with ads_management on the account"
    )
