"""Ad platforms as their clients see them: Meta, Google Ads and TikTok, each with its own ways."""

import json
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

TOKEN = "stand-in"  # noqa: S105 - what the local stand-ins take for a token
GOOGLE_CUSTOMER = "1234567890"
TIKTOK_ADVERTISER = "700000000000"


class AdsStandIn:
    """Meta's campaign endpoint: form in, ``{"success": true}`` out, errors with a code."""

    def __init__(self, campaigns: dict[str, str]) -> None:
        self.campaigns = {
            key: {"name": name, "status": "ACTIVE"} for key, name in campaigns.items()
        }
        self.app = Starlette(
            routes=[Route("/{campaign_id}", self._campaign, methods=["GET", "POST"])]
        )

    async def _campaign(self, request: Request) -> Response:
        key = request.path_params["campaign_id"]
        found = self.campaigns.get(key)
        if found is None:
            return JSONResponse({"error": {"code": 100, "message": "no such campaign"}}, 400)
        if request.method == "POST":
            form = await request.form()
            if form["status"] not in ("ACTIVE", "PAUSED"):
                return JSONResponse({"error": {"code": 1487033, "message": "bad status"}}, 400)
            if "validate_only" not in str(form.get("execution_options", "")):
                found["status"] = str(form["status"])
            return JSONResponse({"success": True})
        state: dict[str, Any] = {"id": key, **found, "effective_status": found["status"]}
        return JSONResponse(state)


class GoogleAdsStandIn:
    """Google Ads over REST with its sign-in: an access token can be made to run out."""

    def __init__(self, campaigns: dict[str, str]) -> None:
        self.campaigns = {
            key: {"name": name, "status": "ENABLED"} for key, name in campaigns.items()
        }
        self.tokens = 0
        self.refresh_token = TOKEN
        customer = f"/customers/{GOOGLE_CUSTOMER}"
        self.app = Starlette(
            routes=[
                Route("/token", self._token, methods=["POST"]),
                Route(f"{customer}/googleAds:search", self._search, methods=["POST"]),
                Route(f"{customer}/campaigns:mutate", self._mutate, methods=["POST"]),
            ]
        )

    async def _token(self, request: Request) -> Response:
        form = await request.form()
        if form["refresh_token"] != self.refresh_token:
            return JSONResponse({"error": "invalid_grant"}, 401)
        self.tokens += 1
        return JSONResponse({"access_token": f"ya29-{self.tokens}", "expires_in": 3599})

    def _refusal(self, request: Request) -> Response | None:
        given = request.headers.get("authorization")
        if given == f"Bearer ya29-{self.tokens}" and request.headers.get("developer-token"):
            return None
        return google_error(401, "UNAUTHENTICATED", "the access token has expired")

    async def _search(self, request: Request) -> Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        key = str((await request.json())["query"]).rsplit("=", 1)[1].strip()
        found = self.campaigns.get(key)
        row = {
            "campaign": {
                "resourceName": f"customers/{GOOGLE_CUSTOMER}/campaigns/{key}",
                "id": key,
                **(found or {}),
            }
        }
        return JSONResponse({"results": [row]} if found else {"fieldMask": "campaign.id"})

    async def _mutate(self, request: Request) -> Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        body = await request.json()
        update = body["operations"][0]["update"]
        key = update["resourceName"].rsplit("/", 1)[1]
        if key not in self.campaigns or body["operations"][0]["updateMask"] != "status":
            return google_error(400, "INVALID_ARGUMENT", "no such campaign or mask")
        if body["validateOnly"]:
            return JSONResponse({})
        self.campaigns[key]["status"] = update["status"]
        return JSONResponse({"results": [{"resourceName": update["resourceName"]}]})


class TikTokAdsStandIn:
    """TikTok's Business API: HTTP 200 for everything that reaches it, the code in the body."""

    def __init__(self, campaigns: dict[str, str]) -> None:
        self.campaigns = {
            key: {"campaign_name": name, "operation_status": "ENABLE"}
            for key, name in campaigns.items()
        }
        self.app = Starlette(
            routes=[
                Route("/campaign/get/", self._get),
                Route("/campaign/status/update/", self._update, methods=["POST"]),
            ]
        )

    def _refusal(self, request: Request, advertiser: object) -> Response | None:
        if request.headers.get("access-token") != TOKEN:
            return _tiktok(40105, "Access token is incorrect or has been revoked.")
        if advertiser != TIKTOK_ADVERTISER:
            return _tiktok(40001, "You don't have permission to operate this advertiser.")
        return None

    async def _get(self, request: Request) -> Response:
        refusal = self._refusal(request, request.query_params.get("advertiser_id"))
        if refusal is not None:
            return refusal
        wanted = json.loads(request.query_params["filtering"])["campaign_ids"]
        rows = [
            {"campaign_id": key, **self.campaigns[key]} for key in wanted if key in self.campaigns
        ]
        return _tiktok(0, "OK", {"list": rows, "page_info": {"total_number": len(rows)}})

    async def _update(self, request: Request) -> Response:
        body = await request.json()
        refusal = self._refusal(request, body.get("advertiser_id"))
        if refusal is not None:
            return refusal
        if body.get("operation_status") not in ("ENABLE", "DISABLE"):
            return _tiktok(40002, "operation_status: invalid value.")
        if any(key not in self.campaigns for key in body["campaign_ids"]):
            return _tiktok(40007, "The campaign does not exist.")
        for key in body["campaign_ids"]:
            self.campaigns[key]["operation_status"] = body["operation_status"]
        return _tiktok(0, "OK", {"campaign_ids": body["campaign_ids"]})


def google_error(code: int, status: str, message: str) -> Response:
    """Return an error as Google's APIs send it."""
    error = {"code": code, "status": status, "message": message}
    return JSONResponse({"error": error}, code)


def _tiktok(code: int, message: str, data: dict[str, Any] | None = None) -> Response:
    return JSONResponse({"code": code, "message": message, "request_id": "1", "data": data or {}})
