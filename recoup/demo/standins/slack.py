"""Slack as Bolt sees it, and as a person does: a Web API, and a page with really signed buttons."""

import json
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from integrations.signatures import sign_slack
from recoup.domain.clock import SystemClock

PEOPLE = {"U_ANNA": "Anna (on call)", "U_VIEW": "Victor (viewer)"}
STATIC = files("recoup.demo.standins") / "static"


class SlackStandIn:
    """Keeps messages and forms; turns clicks into signed interactions to Recoup."""

    def __init__(self, signing_secret: str) -> None:
        self._secret = signing_secret
        self.recoup_url = ""
        self.own_url = ""
        self.messages: list[dict[str, Any]] = []
        self.views: dict[str, dict[str, Any]] = {}
        self._count = 0
        self.app = Starlette(
            routes=[
                Route("/api/{method}", self._api, methods=["POST", "GET"]),
                Route("/_messages", self._list),
                Route("/_respond", self._respond, methods=["POST"]),
                Route("/_control/click", self._click, methods=["POST"]),
                Route("/", self._page),
                Mount("/static", StaticFiles(directory=str(STATIC))),
            ]
        )

    async def _page(self, _request: Request) -> Response:
        return FileResponse(str(STATIC / "slack.html"))

    async def _list(self, _request: Request) -> Response:
        return JSONResponse({"messages": self.messages, "people": PEOPLE})

    async def _api(self, request: Request) -> Response:
        body = await _body_of(request)
        method = request.path_params["method"]
        if method == "auth.test":
            return JSONResponse(
                {"ok": True, "team_id": "T1", "user_id": "UBOT", "bot_id": "B1", "team": "shop"}
            )
        if method == "chat.postMessage":
            return self._post(body)
        if method == "chat.update":
            message = self._find(str(body["ts"]))
            if message is None:
                return JSONResponse({"ok": False, "error": "message_not_found"})
            message.update(text=body.get("text", ""), blocks=_blocks(body), edited=True)
            return JSONResponse({"ok": True, "channel": body["channel"], "ts": body["ts"]})
        if method == "views.open":
            view = body["view"] if isinstance(body["view"], dict) else json.loads(body["view"])
            self.views[str(body["trigger_id"])] = view
            return JSONResponse({"ok": True, "view": {"id": f"V{len(self.views)}"}})
        return JSONResponse({"ok": False, "error": "unknown_method"})

    def _post(self, body: dict[str, Any]) -> Response:
        self._count += 1
        ts = f"{SystemClock().now().timestamp():.0f}.{self._count:06d}"
        self.messages.append(
            {
                "ts": ts,
                "channel": body.get("channel", ""),
                "text": body.get("text", ""),
                "blocks": _blocks(body),
                "thread_ts": body.get("thread_ts", ""),
            }
        )
        return JSONResponse({"ok": True, "channel": body.get("channel", ""), "ts": ts})

    def _find(self, ts: str) -> dict[str, Any] | None:
        return next((message for message in self.messages if message["ts"] == ts), None)

    async def _respond(self, request: Request) -> Response:
        body = await request.json()
        self.messages.append(
            {
                "ts": "",
                "channel": "",
                "text": body.get("text", ""),
                "blocks": [],
                "thread_ts": "",
                "ephemeral": True,
            }
        )
        return JSONResponse({"ok": True})

    async def _click(self, request: Request) -> Response:
        """Press a button of the latest message that has it, as a person of the workspace."""
        wanted = await request.json()
        user = wanted.get("user", "U_ANNA")
        found = self._button(str(wanted["action_id"]))
        if found is None:
            return JSONResponse({"ok": False, "error": "no such button"}, 404)
        message, element = found
        self._count += 1
        trigger = f"trigger-{self._count}"
        action = {
            "type": element["type"],
            "action_id": element["action_id"],
            "block_id": "b",
            "value": element.get("value", ""),
            "action_ts": str(self._count),
        }
        if wanted.get("option"):
            action["selected_option"] = {"value": wanted["option"]}
        status = await self._send(
            {
                "type": "block_actions",
                "user": _user(user),
                "team": {"id": "T1"},
                "channel": {"id": message["channel"]},
                "trigger_id": trigger,
                "container": {"message_ts": message["ts"], "channel_id": message["channel"]},
                "message": {"ts": message["ts"], "blocks": message["blocks"]},
                "response_url": f"{self.own_url}/_respond",
                "actions": [action],
                "api_app_id": "A1",
                "token": "t",
            }
        )
        view = self.views.pop(trigger, None)
        if view is not None:
            status = await self._submit(view, user, str(wanted.get("reason", "")))
        return JSONResponse({"ok": status == 200, "status": status})

    async def _submit(self, view: dict[str, Any], user: str, reason: str) -> int:
        self._count += 1
        filled = {
            **view,
            "id": f"V-{self._count}",
            "state": {"values": {"reason": {"text": {"value": reason}}}},
        }
        return await self._send(
            {
                "type": "view_submission",
                "user": _user(user),
                "team": {"id": "T1"},
                "view": filled,
                "api_app_id": "A1",
                "token": "t",
            }
        )

    def _button(self, action_id: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
        for message in reversed(self.messages):
            for block in message["blocks"]:
                for element in block.get("elements", ()):
                    if element.get("action_id") == action_id:
                        return message, element
        return None

    async def _send(self, payload: dict[str, Any]) -> int:
        raw = urlencode({"payload": json.dumps(payload)}).encode()
        stamp = int(SystemClock().now().timestamp())
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Slack-Request-Timestamp": str(stamp),
            "X-Slack-Signature": sign_slack(self._secret, stamp, raw),
        }
        async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
            answer = await client.post(
                f"{self.recoup_url}/slack/events", content=raw, headers=headers
            )
        return answer.status_code


def _user(user: str) -> dict[str, str]:
    return {"id": user, "name": PEOPLE.get(user, user), "team_id": "T1"}


def _blocks(body: dict[str, Any]) -> list[Any]:
    blocks = body.get("blocks", [])
    return json.loads(blocks) if isinstance(blocks, str) else list(blocks)


async def _body_of(request: Request) -> dict[str, Any]:
    raw = await request.body()
    if not raw:
        return {}
    if "json" in request.headers.get("content-type", ""):
        loaded: dict[str, Any] = json.loads(raw)
        return loaded
    form = await request.form()
    return dict(form)
