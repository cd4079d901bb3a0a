"""What Recoup needs to know of your Meta ad account."""

from typing import ClassVar, Literal

from pydantic import Field, SecretStr

from recoup.settings import Section


class MetaAdsSettings(Section):
    """Campaigns are read and paused through the Marketing API."""

    section_name: ClassVar[str] = "meta_ads"

    base_url: str = Field(default="https://graph.facebook.com/v26.0", description="Graph API")
    access_token: SecretStr | None = Field(
        default=None, description="a token with ads_management on the account"
    )
    account_id: str = Field(
        default="",
        pattern=r"^(act_)?\d*$",
        description="the ad account whose activity log is read for changes; empty: none is",
    )
    poll_s: int = Field(default=300, ge=0, description="how often it is read; 0 does not")
    utm_campaign: Literal["name", "id", "other"] = Field(
        default="other",
        description="what of a campaign its events carry as `campaign`; other: found by the title",
    )
