"""Google Ads campaigns as an ad platform, over REST; an access token that ran out is renewed."""

from typing import Any

import httpx

from integrations.google_ads.settings import GoogleAdsSettings
from integrations.http import Trouble, VendorHttp, json_of, reason_of
from recoup.domain.errors import ConfigurationError, TransientVendorError, VendorRefused
from recoup.domain.ports import CampaignState

VENDOR = "Google Ads"
PLATFORM = "google"
_QUERY = "SELECT campaign.id, campaign.name, campaign.status FROM campaign"
ENABLED, PAUSED = "ENABLED", "PAUSED"
MOST_PAGES = 100


class GoogleCampaigns:
    """Reads, validates and writes the status of one customer's campaigns."""

    def __init__(self, settings: GoogleAdsSettings, http: VendorHttp) -> None:
        self._settings = settings
        self._http = http
        self._access_token = ""

    async def read(self, campaign_id: str) -> CampaignState:
        """Return the campaign's state."""
        number = _number(campaign_id)
        query = f"{_QUERY} WHERE campaign.id = {number}"
        rows = await self.search(query)
        if not rows:
            raise VendorRefused(f"{VENDOR} has no campaign {campaign_id}", kind="not_found")
        found = rows[0].get("campaign") or {}
        status = str(found.get("status", ""))
        return CampaignState(
            platform=PLATFORM,
            campaign_id=campaign_id,
            name=str(found.get("name", "")),
            active=status == ENABLED,
            raw_status=status,
        )

    async def search(self, query: str) -> list[dict[str, Any]]:
        """Return the rows of a query, of all its pages."""
        rows: list[dict[str, Any]] = []
        page = ""
        for _ in range(MOST_PAGES):
            asked = {"query": query, **({"pageToken": page} if page else {})}
            body = await self._call("googleAds:search", asked, repeatable=True)
            found = body.get("results") or []
            if not isinstance(found, list):
                raise VendorRefused(f"{VENDOR} answered no list of rows")
            rows += [row for row in found if isinstance(row, dict)]
            page = str(body.get("nextPageToken") or "")
            if not page:
                break
        return rows

    async def rehearse(self, state: CampaignState, *, active: bool) -> None:
        """Let Google validate the change without making it."""
        body = self._mutation(state, active, validate_only=True)
        await self._call("campaigns:mutate", body, repeatable=True)

    async def write(self, state: CampaignState, *, active: bool) -> None:
        """Set the status."""
        await self._call("campaigns:mutate", self._mutation(state, active, validate_only=False))

    def _mutation(
        self, state: CampaignState, active: bool, *, validate_only: bool
    ) -> dict[str, Any]:
        name = f"customers/{self._settings.customer_id}/campaigns/{_number(state.campaign_id)}"
        update = {"resourceName": name, "status": ENABLED if active else PAUSED}
        return {
            "operations": [{"update": update, "updateMask": "status"}],
            "partialFailure": False,
            "validateOnly": validate_only,
        }

    async def _call(
        self, method: str, body: dict[str, Any], *, repeatable: bool = False
    ) -> dict[str, Any]:
        """Send it; an access token that Google no longer takes is renewed once."""
        if not self._access_token:
            await self._renew()
        try:
            return await self._send(method, body, repeatable)
        except VendorRefused as error:
            if error.kind != "unauthorized":
                raise
        await self._renew()
        return await self._send(method, body, repeatable)

    async def _send(self, method: str, body: dict[str, Any], repeatable: bool) -> dict[str, Any]:
        settings = self._settings
        developer_token = _secret(settings.developer_token)
        headers = {
            "Authorization": f"Bearer {self._access_token}",
            "developer-token": developer_token,
        }
        if settings.login_customer_id:
            headers["login-customer-id"] = settings.login_customer_id
        answer = await self._http.request(
            VENDOR,
            "POST",
            f"{settings.base_url.rstrip('/')}/customers/{settings.customer_id}/{method}",
            json=body,
            headers=headers,
            repeatable=repeatable,
            secrets=(self._access_token, developer_token),
            judge=judge,
        )
        return json_of(VENDOR, answer)

    async def _renew(self) -> None:
        settings = self._settings
        refresh_token = _secret(settings.refresh_token)
        client_secret = _secret(settings.client_secret)
        answer = await self._http.request(
            f"{VENDOR} sign-in",
            "POST",
            settings.token_url,
            data={
                "grant_type": "refresh_token",
                "refresh_token": refresh_token,
                "client_id": settings.client_id,
                "client_secret": client_secret,
            },
            repeatable=True,
            secrets=(refresh_token, client_secret),
        )
        token = json_of(VENDOR, answer).get("access_token")
        if not isinstance(token, str) or not token:
            raise VendorRefused(f"{VENDOR} gave no access token", kind="unauthorized")
        self._access_token = token


def judge(answer: httpx.Response) -> Trouble | None:
    """Read the retry delay that Google puts into the details of an exhausted quota.

    An edit that met another one (ABORTED) had no effect, and is a conflict rather than a failure.
    """
    if answer.is_success:
        return None
    try:
        error = answer.json()["error"]
        status, details = error.get("status", ""), error.get("details") or []
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    text = f"{VENDOR} answered {answer.status_code}: {reason_of(answer)}"
    if status == "RESOURCE_EXHAUSTED":
        return Trouble(TransientVendorError(text, _delay_s(details)), harmless=True)
    if status == "ABORTED":
        return Trouble(VendorRefused(text, kind="conflict"))
    return None


def _delay_s(details: list[Any]) -> float | None:
    """Return the longest wished delay, wherever in the details it stands."""
    found: list[float] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            for name, part in value.items():
                if name == "retryDelay" and isinstance(part, str):
                    found.append(float(part.removesuffix("s") or 0))
                else:
                    walk(part)
        elif isinstance(value, list):
            for part in value:
                walk(part)

    walk(details)
    return max(found, default=None)


def _number(campaign_id: str) -> str:
    if not campaign_id.isdigit():
        raise VendorRefused(
            f"{VENDOR}: a campaign id is a number, not {campaign_id!r}", kind="invalid"
        )
    return campaign_id


def _secret(value: Any) -> str:
    if value is None:
        raise ConfigurationError(f"{VENDOR} is not configured; see [google_ads] in the settings")
    return str(value.get_secret_value())
