"""Meta's Marketing API as an ad platform; its error codes say more than its status codes."""

import json
from typing import Any

import httpx

from integrations.http import Trouble, VendorHttp, json_of
from integrations.meta_ads.settings import MetaAdsSettings
from integrations.parts import path_part
from recoup.domain.errors import TransientVendorError, VendorRefused
from recoup.domain.ports import CampaignState

VENDOR = "Meta"
PLATFORM = "meta"
ACTIVE, PAUSED = "ACTIVE", "PAUSED"
_TOO_MANY = frozenset({4, 17, 32, 613, 80000, 80001, 80003, 80004, 80014})
_UNKNOWN_OUTCOME = frozenset({1, 2})
_KINDS = {10: "forbidden", 100: "not_found", 102: "unauthorized", 190: "unauthorized"} | {
    200: "forbidden"
}


class MetaCampaigns:
    """Reads, validates and writes the status of campaigns."""

    def __init__(self, settings: MetaAdsSettings, http: VendorHttp) -> None:
        self._settings = settings
        self._http = http

    async def read(self, campaign_id: str) -> CampaignState:
        """Return the campaign's state."""
        fields = {"fields": "id,name,status,effective_status"}
        body = await self._call("GET", campaign_id, params=fields)
        status = str(body.get("status", ""))
        return CampaignState(
            platform=PLATFORM,
            campaign_id=campaign_id,
            name=str(body.get("name", "")),
            active=status == ACTIVE,
            raw_status=status,
        )

    async def rehearse(self, state: CampaignState, *, active: bool) -> None:
        """Let Meta validate the change without making it."""
        form = {"status": _word(active), "execution_options": '["validate_only"]'}
        await self._call("POST", state.campaign_id, data=form, repeatable=True)

    async def write(self, state: CampaignState, *, active: bool) -> None:
        """Set the status."""
        await self._call("POST", state.campaign_id, data={"status": _word(active)})

    async def _call(self, method: str, campaign_id: str, **options: Any) -> dict[str, Any]:
        return await call(self._settings, self._http, method, path_part(campaign_id), **options)


async def call(
    settings: MetaAdsSettings, http: VendorHttp, method: str, path: str, **options: Any
) -> dict[str, Any]:
    """Send a request of the Graph API; return its object. Raises as ``VendorHttp`` does."""
    token = settings.access_token
    secret = token.get_secret_value() if token else ""
    answer = await http.request(
        VENDOR,
        method,
        f"{settings.base_url.rstrip('/')}/{path}",
        headers={"Authorization": f"Bearer {secret}"},
        secrets=(secret,),
        judge=judge,
        **options,
    )
    return json_of(VENDOR, answer)


def judge(answer: httpx.Response) -> Trouble | None:
    """Read Meta's own error, which it sends with 400 for nearly everything, and now and then 200.

    Too many requests have no effect and may be sent again; of "unknown" and "temporary" errors
    nobody can say.
    """
    try:
        error = answer.json().get("error")
    except (ValueError, AttributeError):
        return None
    if not isinstance(error, dict):
        return None
    code = error.get("code")
    text = f"{VENDOR} answered error {code}: {str(error.get('message', ''))[:300]}"
    if code in _TOO_MANY:
        return Trouble(TransientVendorError(text, _regain_s(answer)), harmless=True)
    if code in _UNKNOWN_OUTCOME or answer.status_code >= 500:
        return Trouble(TransientVendorError(text))
    return Trouble(VendorRefused(text, kind=_KINDS.get(code or 0, "refused")))


def _regain_s(answer: httpx.Response) -> float | None:
    """Return for how long the account is throttled, which Meta says in minutes in a header."""
    try:
        usage = json.loads(answer.headers.get("x-business-use-case-usage", ""))
        minutes = max(
            float(entry.get("estimated_time_to_regain_access", 0))
            for entries in usage.values()
            for entry in entries
        )
    except (ValueError, AttributeError, TypeError):
        return None
    return minutes * 60 or None


def _word(active: bool) -> str:
    return ACTIVE if active else PAUSED
