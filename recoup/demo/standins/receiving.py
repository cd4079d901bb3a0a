"""What receives from Recoup: PagerDuty's Events API, and a shop's own signed webhook endpoint."""

import json
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from integrations.signatures import verify_standard
from recoup.domain.clock import SystemClock
from recoup.domain.errors import NotAllowed


class PagerDutyStandIn:
    """One service: its alerts by their dedup key, each triggered or resolved."""

    def __init__(self, routing_key: str) -> None:
        self.routing_key = routing_key
        self.alerts: dict[str, str] = {}
        self.app = Starlette(routes=[Route("/v2/enqueue", self._enqueue, methods=["POST"])])

    async def _enqueue(self, request: Request) -> Response:
        body = await request.json()
        problems = _problems(body)
        if body.get("routing_key") != self.routing_key:
            problems.append("Invalid routing key")
        if problems:
            refusal = {"status": "invalid event", "message": problems[0], "errors": problems}
            return JSONResponse(refusal, 400)
        self.alerts[body["dedup_key"]] = body["event_action"]
        answer = {"status": "success", "message": "Event processed"}
        return JSONResponse({**answer, "dedup_key": body["dedup_key"]}, 202)


class WebhookStandIn:
    """An endpoint that checks the signature and acts once for each message id."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self.acted: dict[str, dict[str, Any]] = {}
        self.deliveries = 0
        self.app = Starlette(routes=[Route("/{path:path}", self._take, methods=["POST"])])

    async def _take(self, request: Request) -> Response:
        raw = await request.body()
        now_s = SystemClock().now().timestamp()
        try:
            key = verify_standard((self._secret,), request.headers, raw, now_s)
        except NotAllowed as error:
            return JSONResponse({"message": str(error)}, 401)
        self.deliveries += 1
        self.acted.setdefault(key, json.loads(raw))
        return JSONResponse({"ok": True})


def _problems(body: dict[str, Any]) -> list[str]:
    if body.get("event_action") not in ("trigger", "acknowledge", "resolve"):
        return ["'event_action' is wrong"]
    if body["event_action"] == "trigger":
        payload = body.get("payload") or {}
        missing = [name for name in ("summary", "source", "severity") if not payload.get(name)]
        return [f"'payload.{name}' is missing or blank" for name in missing]
    return []
