"""LaunchDarkly's approval requests: made, reviewed by somebody else, applied once, deleted."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Apply = Callable[[str, list[dict[str, Any]]], Awaitable[None]]
_ROOT = "/api/v2/projects/{project}/flags/{key}/environments/{env}/approval-requests"


class ReviewsStandIn:
    """While ``required`` no flag changes without a request that somebody approved."""

    def __init__(self, apply: Apply) -> None:
        self.required = False
        self.requests: dict[str, dict[str, Any]] = {}
        self._apply_to_flag = apply
        self._made = 0
        self.routes = [
            Route(_ROOT, self._list, methods=["GET"]),
            Route(_ROOT, self._create, methods=["POST"]),
            Route(_ROOT + "/{id}", self._get, methods=["GET"]),
            Route(_ROOT + "/{id}", self._delete, methods=["DELETE"]),
            Route(_ROOT + "/{id}/apply", self._apply, methods=["POST"]),
        ]

    def review(self, kind: str) -> None:
        """Let a colleague ``approve`` or ``decline`` every open request."""
        for each in self.requests.values():
            if each["reviewStatus"] == "pending":
                each["reviewStatus"] = {"approve": "approved", "decline": "declined"}[kind]

    async def _list(self, _request: Request) -> Response:
        return JSONResponse({"items": list(self.requests.values())})

    async def _create(self, request: Request) -> Response:
        body = await request.json()
        self._made += 1
        made = {
            "_id": f"review-{self._made}",
            "description": body["description"],
            "instructions": body["instructions"],
            "reviewStatus": "pending",
            "status": "pending",
        }
        self.requests[made["_id"]] = made
        return JSONResponse(made, 201)

    async def _get(self, request: Request) -> Response:
        found = self.requests.get(request.path_params["id"])
        return JSONResponse(found) if found else _unknown()

    async def _delete(self, request: Request) -> Response:
        found = self.requests.pop(request.path_params["id"], None)
        return Response(status_code=204) if found else _unknown()

    async def _apply(self, request: Request) -> Response:
        found = self.requests.get(request.path_params["id"])
        if found is None:
            return _unknown()
        if found["reviewStatus"] != "approved":
            return JSONResponse({"code": "forbidden", "message": "not approved"}, 403)
        if found["status"] != "completed":
            await self._apply_to_flag(request.path_params["key"], found["instructions"])
            found["status"] = "completed"
        return JSONResponse(found)


def _unknown() -> Response:
    return JSONResponse({"code": "not_found", "message": "no such approval request"}, 404)
