"""TikTok campaigns as an ad platform; here an HTTP 200 says nothing, the code in the body does."""

import json
from typing import Any

import httpx

from integrations.http import Trouble, VendorHttp, json_of
from integrations.tiktok_ads.settings import TikTokAdsSettings
from recoup.domain.errors import ConfigurationError, TransientVendorError, VendorRefused
from recoup.domain.ports import CampaignState

VENDOR = "TikTok"
PLATFORM = "tiktok"
ENABLE, DISABLE = "ENABLE", "DISABLE"
_TOO_MANY = frozenset({40016, 40100, 40133})
_UNAUTHORIZED = frozenset({40101, 40102, 40104, 40105, 40106})
_KINDS = {40001: "forbidden", 40007: "not_found"}
_SERVICE_ERROR = 50000


class TikTokCampaigns:
    """Reads and writes the status of one advertiser's campaigns; TikTok has no dry run."""

    def __init__(self, settings: TikTokAdsSettings, http: VendorHttp) -> None:
        self._settings = settings
        self._http = http

    async def read(self, campaign_id: str) -> CampaignState:
        """Return the campaign's state."""
        params = {
            "advertiser_id": self._settings.advertiser_id,
            "filtering": json.dumps({"campaign_ids": [campaign_id]}),
            "fields": json.dumps(["campaign_id", "campaign_name", "operation_status"]),
        }
        data = await self._call("GET", "campaign/get/", params=params)
        rows = [row for row in data.get("list") or [] if str(row.get("campaign_id")) == campaign_id]
        if not rows:
            raise VendorRefused(f"{VENDOR} has no campaign {campaign_id}", kind="not_found")
        status = str(rows[0].get("operation_status", ""))
        return CampaignState(
            platform=PLATFORM,
            campaign_id=campaign_id,
            name=str(rows[0].get("campaign_name", "")),
            active=status == ENABLE,
            raw_status=status,
        )

    async def rehearse(self, state: CampaignState, *, active: bool) -> None:
        """Do nothing: TikTok cannot be asked beforehand."""
        del state, active

    async def write(self, state: CampaignState, *, active: bool) -> None:
        """Set the status; a success that leaves the campaign out is a refusal."""
        body = {
            "advertiser_id": self._settings.advertiser_id,
            "campaign_ids": [state.campaign_id],
            "operation_status": ENABLE if active else DISABLE,
        }
        await self._call("POST", "campaign/status/update/", json=body)

    async def _call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        if self._settings.access_token is None:
            raise ConfigurationError("TikTok is not configured; set RECOUP_TIKTOK_ADS_ACCESS_TOKEN")
        secret = self._settings.access_token.get_secret_value()
        answer = await self._http.request(
            VENDOR,
            method,
            f"{self._settings.base_url.rstrip('/')}/{path}",
            headers={"Access-Token": secret},
            secrets=(secret,),
            judge=judge,
            **options,
        )
        data = json_of(VENDOR, answer).get("data")
        return data if isinstance(data, dict) else {}


def judge(answer: httpx.Response) -> Trouble | None:
    """Read the code in the body, which TikTok says takes precedence over the HTTP status."""
    try:
        body = answer.json()
        code, message = int(body["code"]), str(body.get("message", ""))[:300]
    except (ValueError, KeyError, TypeError):
        if not answer.is_success:
            return None
        return Trouble(VendorRefused(f"{VENDOR} answered 200 without a code, which is no success"))
    if code == 0:
        return None
    text = f"{VENDOR} answered code {code}: {message}"
    if code in _TOO_MANY:
        return Trouble(TransientVendorError(text), harmless=True)
    if code >= _SERVICE_ERROR:
        return Trouble(TransientVendorError(text))
    kind = "unauthorized" if code in _UNAUTHORIZED else _KINDS.get(code, "refused")
    return Trouble(VendorRefused(text, kind=kind))
