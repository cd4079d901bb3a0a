"""An ad platform with the shape of Meta's campaign endpoint."""

from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


class AdsStandIn:
    """Campaigns that can be read, paused and resumed."""

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
            return JSONResponse({"error": {"code": 100, "message": "no such campaign"}}, 404)
        if request.method == "POST":
            form = await request.form()
            found["status"] = str(form["status"])
            return JSONResponse({"success": True})
        state: dict[str, Any] = {"id": key, **found, "effective_status": found["status"]}
        return JSONResponse(state)
