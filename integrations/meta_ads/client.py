"""Meta campaigns as a CampaignControl: read before a write, and again when the answer is lost."""

from typing import Any

from integrations.http import VendorHttp, json_of
from integrations.meta_ads.settings import MetaAdsSettings
from recoup.domain.errors import StateMoved, TransientVendorError, VendorRefused
from recoup.domain.ports import CampaignState

VENDOR = "Meta"
ACTIVE, PAUSED = "ACTIVE", "PAUSED"


class MetaCampaigns:
    """Pauses and resumes campaigns; one that somebody changed meanwhile is left alone."""

    def __init__(self, settings: MetaAdsSettings, http: VendorHttp) -> None:
        self._settings = settings
        self._http = http

    async def read(self, campaign_id: str) -> CampaignState:
        """Return the campaign's state."""
        body = await self._call(
            "GET", campaign_id, params={"fields": "id,name,status,effective_status"}
        )
        status = str(body.get("status", ""))
        return CampaignState(
            platform="meta",
            campaign_id=campaign_id,
            name=str(body.get("name", "")),
            active=status == ACTIVE,
            raw_status=status,
        )

    async def set_active(
        self, state: CampaignState, *, active: bool, idempotency_key: str
    ) -> CampaignState:
        """Pause or resume the campaign if it still is as in ``state``; return the new state."""
        del idempotency_key  # Setting a status twice is harmless here; Meta takes no key.
        present = await self.read(state.campaign_id)
        if present.active == active:
            return present
        if present.raw_status != state.raw_status:
            raise StateMoved(
                f"campaign {state.campaign_id} is {present.raw_status}, not {state.raw_status}"
            )
        try:
            wanted = ACTIVE if active else PAUSED
            await self._call("POST", state.campaign_id, data={"status": wanted})
        except TransientVendorError:
            after = await self.read(state.campaign_id)
            if after.active != active:
                raise
            return after
        return await self.read(state.campaign_id)

    async def _call(self, method: str, campaign_id: str, **options: Any) -> dict[str, Any]:
        token = self._settings.access_token
        secret = token.get_secret_value() if token else ""
        url = f"{self._settings.base_url.rstrip('/')}/{campaign_id}"
        answer = await self._http.request(
            VENDOR,
            method,
            url,
            headers={"Authorization": f"Bearer {secret}"},
            secrets=(secret,),
            **options,
        )
        body = json_of(VENDOR, answer)
        if "error" in body:
            raise VendorRefused(f"{VENDOR}: {body['error']}", kind="refused")
        return body
