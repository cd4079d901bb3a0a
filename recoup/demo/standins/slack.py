"""Slack as Bolt sees it, and as a person does: a Web API, and a page with really signed buttons.

It refuses what Slack refuses (blocks beyond their limits, unknown files) and can be told to
misbehave: ``faults`` holds, by method, the answers to give first.
"""

import json
from collections import defaultdict
from importlib.resources import files
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from recoup.demo.standins.slack_limits import refusal
from recoup.demo.standins.slack_person import SlackPerson, SocketLink
from recoup.domain.clock import SystemClock

PEOPLE = {"U_ANNA": "Anna (on call)", "U_BEN": "Ben", "U_VIEW": "Victor (viewer)"}
STATIC = files("recoup.demo.standins") / "static"
MODAL_BLOCKS = 100


class SlackStandIn:
    """Keeps messages, files and forms; turns clicks into signed interactions to Recoup."""

    def __init__(self, signing_secret: str) -> None:
        self.recoup_url = ""
        self.own_url = ""
        self.messages: list[dict[str, Any]] = []
        self.views: dict[str, dict[str, Any]] = {}
        self.homes: dict[str, dict[str, Any]] = {}
        self.asked: dict[str, dict[str, Any]] = {}
        """Forms that are open before a person on the page."""
        self.files: dict[str, bytes] = {}
        self.groups: dict[str, list[str]] = {}
        self.scopes = "chat:write,commands,files:write,usergroups:read"
        self.calls: list[tuple[str, float]] = []
        self.received: list[tuple[str, dict[str, Any]]] = []
        self.faults: defaultdict[str, list[Response]] = defaultdict(list)
        self.link = SocketLink()
        self.person = SlackPerson(self, signing_secret)
        self._count = 0
        self.app = Starlette(
            routes=[
                Route("/api/{method}", self._api, methods=["POST", "GET"]),
                Route("/_messages", self._list),
                Route("/_files/{file_id}", self._file),
                Route("/_upload/{file_id}", self._upload, methods=["POST"]),
                Route("/_respond", self._respond, methods=["POST"]),
                Route("/_control/click", self._click, methods=["POST"]),
                Route("/_control/press", self._press, methods=["POST"]),
                Route("/_control/send", self._send, methods=["POST"]),
                WebSocketRoute("/link", self.link.serve),
                Route("/", self._page),
                Mount("/static", StaticFiles(directory=str(STATIC))),
            ]
        )

    def number(self) -> int:
        """Return a number that was not given before."""
        self._count += 1
        return self._count

    def count(self, method: str) -> int:
        """Return how often a method was called."""
        return sum(name == method for name, _ in self.calls)

    async def _page(self, _request: Request) -> Response:
        return FileResponse(str(STATIC / "slack.html"))

    async def _list(self, _request: Request) -> Response:
        return JSONResponse({"messages": self.messages, "people": PEOPLE})

    async def _file(self, request: Request) -> Response:
        return Response(self.files.get(request.path_params["file_id"], b""), media_type="image/png")

    async def _upload(self, request: Request) -> Response:
        self.files[request.path_params["file_id"]] = await request.body()
        return Response("OK")

    async def _api(self, request: Request) -> Response:
        body = await _body_of(request)
        method = request.path_params["method"]
        self.calls.append((method, SystemClock().now().timestamp()))
        self.received.append((method, body))
        if self.faults[method]:
            return self.faults[method].pop(0)
        answer = getattr(self, "_" + method.replace(".", "_"), None)
        if answer is None:
            return JSONResponse({"ok": False, "error": "unknown_method"})
        done = answer(body)
        headers = {"x-oauth-scopes": self.scopes}
        return JSONResponse({"ok": "error" not in done, **done}, headers=headers)

    # The methods of the Web API that Recoup calls.

    def _auth_test(self, _body: dict[str, Any]) -> dict[str, Any]:
        return {
            "team_id": "T1",
            "user_id": "UBOT",
            "bot_id": "B1",
            "team": "shop",
            "user": "recoup",
        }

    def _chat_postMessage(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - its name
        blocks = _blocks(body)
        if error := refusal(blocks, set(self.files)):
            return {"error": error}
        ts = f"{SystemClock().now().timestamp():.0f}.{self.number():06d}"
        self.messages.append(
            {
                "ts": ts,
                "channel": body.get("channel", ""),
                "text": body.get("text", ""),
                "blocks": blocks,
                "thread_ts": body.get("thread_ts", ""),
            }
        )
        return {"channel": body.get("channel", ""), "ts": ts}

    def _chat_update(self, body: dict[str, Any]) -> dict[str, Any]:
        message = self.find(str(body["ts"]))
        if message is None:
            return {"error": "message_not_found"}
        blocks = _blocks(body)
        if error := refusal(blocks, set(self.files)):
            return {"error": error}
        message.update(text=body.get("text", ""), blocks=blocks, edited=True)
        return {"channel": body["channel"], "ts": body["ts"]}

    def _views_open(self, body: dict[str, Any]) -> dict[str, Any]:
        view = _json(body["view"])
        if error := refusal(view["blocks"], set(self.files), MODAL_BLOCKS):
            return {"error": error}
        self.views[str(body["trigger_id"])] = view
        return {"view": {"id": f"V{len(self.views)}"}}

    def _views_publish(self, body: dict[str, Any]) -> dict[str, Any]:
        view = _json(body["view"])
        if error := refusal(view["blocks"], set(self.files), MODAL_BLOCKS):
            return {"error": error}
        self.homes[str(body["user_id"])] = view
        return {"view": {"id": f"H{len(self.homes)}"}}

    def _usergroups_users_list(self, body: dict[str, Any]) -> dict[str, Any]:
        group = str(body.get("usergroup", ""))
        if group not in self.groups:
            return {"error": "no_such_subteam"}
        return {"users": self.groups[group]}

    def _conversations_info(self, body: dict[str, Any]) -> dict[str, Any]:
        return {"channel": {"id": body["channel"], "name": "incidents", "is_member": True}}

    def _files_getUploadURLExternal(  # noqa: N802 - its name
        self, _body: dict[str, Any]
    ) -> dict[str, Any]:
        file_id = f"F{self.number()}"
        return {"file_id": file_id, "upload_url": f"{self.own_url}/_upload/{file_id}"}

    def _files_completeUploadExternal(  # noqa: N802 - its name
        self, body: dict[str, Any]
    ) -> dict[str, Any]:
        return {"files": [{"id": each["id"]} for each in _json(body["files"])]}

    def _apps_connections_open(self, _body: dict[str, Any]) -> dict[str, Any]:
        return {"url": f"{self.own_url.replace('http', 'ws', 1)}/link"}

    # What people do.

    def find(self, ts: str) -> dict[str, Any] | None:
        """Return a message by its time stamp."""
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
        status = await self.person.press(
            str(wanted["action_id"]),
            user=wanted.get("user", "U_ANNA"),
            reason=str(wanted.get("reason", "")),
            option=str(wanted.get("option") or ""),
            playbook=str(wanted.get("playbook", "")),
        )
        if status == 0:
            return JSONResponse({"ok": False, "error": "no such button"}, 404)
        return JSONResponse({"ok": status == 200, "status": status})

    async def _press(self, request: Request) -> Response:
        """Press a button on the page; the answer has the form that Recoup opens, if it does."""
        wanted = await request.json()
        status, view = await self.person.click(
            str(wanted["action_id"]),
            user=str(wanted["user"]),
            option=str(wanted.get("option") or ""),
            message=self.find(str(wanted["ts"])),
        )
        if view is not None:
            self.asked[str(wanted["user"])] = view
        return JSONResponse({"ok": status == 200, "view": view})

    async def _send(self, request: Request) -> Response:
        """Send the form that is open before a person."""
        sent = await request.json()
        view = self.asked.pop(str(sent["user"]), None)
        if view is None:
            return JSONResponse({"ok": False, "error": "no form is open"}, 404)
        status = await self.person.send(view, str(sent["user"]), dict(sent["values"]))
        return JSONResponse({"ok": status == 200})


def _blocks(body: dict[str, Any]) -> list[Any]:
    return list(_json(body.get("blocks", [])))


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


async def _body_of(request: Request) -> dict[str, Any]:
    found: dict[str, Any] = dict(request.query_params)
    raw = await request.body()
    if "json" in request.headers.get("content-type", ""):
        found.update(json.loads(raw or b"{}"))
    else:
        found.update(await request.form())
    return found
