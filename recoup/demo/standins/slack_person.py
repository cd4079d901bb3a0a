"""A person of the workspace: presses, fills in, types; Slack signs it or sends it by socket."""

import asyncio
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import httpx
from starlette.websockets import WebSocket, WebSocketDisconnect

from integrations.signatures import sign_slack
from recoup.domain.clock import SystemClock

if TYPE_CHECKING:
    from recoup.demo.standins.slack import SlackStandIn

FORM_WITHIN_S = 3.0
NAMES = {"U_ANNA": "anna", "U_BEN": "ben", "U_VIEW": "victor"}


class SocketLink:
    """The far end of Socket Mode: sends envelopes and keeps the acknowledgements."""

    def __init__(self) -> None:
        self.socket: WebSocket | None = None
        self.acks: dict[str, dict[str, Any]] = {}
        self.connected = 0
        self._count = 0

    async def serve(self, socket: WebSocket) -> None:
        """Talk to one client until it goes."""
        await socket.accept()
        await socket.send_json({"type": "hello", "num_connections": 1})
        self.socket, self.connected = socket, self.connected + 1
        try:
            while True:
                said = await socket.receive_json()
                self.acks[said["envelope_id"]] = said
        except WebSocketDisconnect:
            self.socket = None

    async def send(self, kind: str, payload: dict[str, Any]) -> float:
        """Send an envelope; return the seconds until it was acknowledged."""
        assert self.socket is not None
        self._count += 1
        envelope = f"E{self._count}"
        loop = asyncio.get_running_loop()
        began = loop.time()
        await self.socket.send_json(
            {
                "envelope_id": envelope,
                "type": kind,
                "accepts_response_payload": True,
                "payload": payload,
            }
        )
        while envelope not in self.acks:
            if loop.time() - began > FORM_WITHIN_S:
                raise TimeoutError(f"{kind} was not acknowledged in time")
            await asyncio.sleep(0.005)
        return loop.time() - began


class SlackPerson:
    """Does what a person does, and sends it to Recoup as Slack would."""

    def __init__(self, slack: "SlackStandIn", signing_secret: str) -> None:
        self._slack = slack
        self._secret = signing_secret
        self.sent: list[tuple[bytes, dict[str, str]]] = []

    async def press(
        self,
        action_id: str,
        *,
        user: str = "U_ANNA",
        reason: str = "",
        option: str = "",
        playbook: str = "",
        message: dict[str, Any] | None = None,
    ) -> int:
        """Press a button or choose from the menu, and fill in the form that opens, if one does.

        Returns the status of the last answer, 0 when there is no such button.
        """
        status, view = await self.click(action_id, user=user, option=option, message=message)
        if view is not None:
            status = await self.submit(view, user, reason, playbook)
        return status

    async def click(
        self,
        action_id: str,
        *,
        user: str = "U_ANNA",
        option: str = "",
        message: dict[str, Any] | None = None,
    ) -> tuple[int, dict[str, Any] | None]:
        """Press a button or choose from the menu; return the status and the form that opens."""
        found = self._find(action_id, message)
        if found is None:
            return 0, None
        shown, block, element, chosen = found
        payload = self.payload_of(shown, block, element, option or chosen, user)
        status = await self.interact(payload)
        return status, await self._form(payload["trigger_id"], element, option or chosen)

    def _find(
        self, action_id: str, message: dict[str, Any] | None
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any], str] | None:
        for shown in [message] if message else reversed(self._slack.messages):
            for block in shown["blocks"]:
                for element in block.get("elements", ()):
                    if element.get("action_id") == action_id:
                        return shown, block, element, ""
                    values = [option["value"] for option in element.get("options", ())]
                    if action_id in values:
                        return shown, block, element, action_id
        return None

    def payload_of(
        self,
        message: dict[str, Any],
        block: dict[str, Any],
        element: dict[str, Any],
        option: str,
        user: str,
    ) -> dict[str, Any]:
        """Return what Slack sends for a click."""
        action = {
            "type": element["type"],
            "action_id": element["action_id"],
            "block_id": block.get("block_id", "b"),
            "action_ts": f"{SystemClock().now().timestamp():.6f}.{self._slack.number()}",
        }
        if element["type"] == "overflow":
            action["selected_option"] = {"value": option}
        else:
            action["value"] = element.get("value", "")
        return {
            "type": "block_actions",
            "user": user_of(user),
            "team": {"id": "T1"},
            "channel": {"id": message["channel"]},
            "trigger_id": f"trigger-{self._slack.number()}",
            "container": {"message_ts": message["ts"], "channel_id": message["channel"]},
            "message": {"ts": message["ts"], "blocks": message["blocks"]},
            "response_url": f"{self._slack.own_url}/_respond",
            "actions": [action],
            "api_app_id": "A1",
            "token": "t",
        }

    async def _form(
        self, trigger: str, element: dict[str, Any], option: str
    ) -> dict[str, Any] | None:
        """Wait for the form that this button opens; it must come while the trigger is good."""
        opens = {"reject", "false_positive", "other_playbook"}
        if not {element["action_id"], option} & opens:
            return None
        for _ in range(int(FORM_WITHIN_S / 0.02)):
            if trigger in self._slack.views:
                return self._slack.views.pop(trigger)
            await asyncio.sleep(0.02)
        return None

    async def submit(self, view: dict[str, Any], user: str, reason: str, playbook: str = "") -> int:
        """Send a form with a reason and, where it asks for one, a playbook."""
        values: dict[str, Any] = {"reason": {"text": {"value": reason}}}
        for block in view["blocks"]:
            if block.get("block_id") == "playbook":
                options = block["element"]["options"]
                shown = playbook.replace("_", " ")
                chosen = next((o for o in options if o["text"]["text"] == shown), options[0])
                values["playbook"] = {"name": {"selected_option": chosen}}
        return await self.send(view, user, values)

    async def send(self, view: dict[str, Any], user: str, values: dict[str, Any]) -> int:
        """Send a form with the values of its fields, by block and action."""
        filled = {**view, "id": f"V-{self._slack.number()}", "state": {"values": values}}
        return await self.interact(
            {
                "type": "view_submission",
                "user": user_of(user),
                "team": {"id": "T1"},
                "view": filled,
                "api_app_id": "A1",
                "token": "t",
            }
        )

    async def interact(self, payload: dict[str, Any]) -> int:
        """Send an interaction; by the socket when Recoup is connected, else signed over HTTP."""
        if self._slack.link.socket is not None:
            await self._slack.link.send("interactive", payload)
            return 200
        return await self.post(urlencode({"payload": json.dumps(payload)}).encode())

    async def command(self, text: str, user: str = "U_ANNA") -> int:
        """Type ``/recoup``."""
        payload = {
            "command": "/recoup",
            "text": text,
            "user_id": user,
            "user_name": NAMES.get(user, user),
            "team_id": "T1",
            "channel_id": "C_INCIDENTS",
            "trigger_id": f"trigger-{self._slack.number()}",
            "response_url": f"{self._slack.own_url}/_respond",
            "api_app_id": "A1",
        }
        if self._slack.link.socket is not None:
            await self._slack.link.send("slash_commands", payload)
            return 200
        return await self.post(urlencode(payload).encode())

    async def open_home(self, user: str = "U_ANNA") -> int:
        """Open the app's home tab."""
        payload = {
            "type": "event_callback",
            "team_id": "T1",
            "api_app_id": "A1",
            "event_id": f"Ev{self._slack.number()}",
            "event": {"type": "app_home_opened", "user": user, "tab": "home", "channel": "D1"},
        }
        if self._slack.link.socket is not None:
            await self._slack.link.send("events_api", payload)
            return 200
        return await self.post(json.dumps(payload).encode(), "application/json")

    async def post(self, raw: bytes, kind: str = "application/x-www-form-urlencoded") -> int:
        """Sign a body and send it to Recoup; return the status of the answer."""
        stamp = int(SystemClock().now().timestamp())
        headers = {
            "Content-Type": kind,
            "X-Slack-Request-Timestamp": str(stamp),
            "X-Slack-Signature": sign_slack(self._secret, stamp, raw),
        }
        self.sent.append((raw, headers))
        return await self.post_as_it_is(raw, headers)

    async def post_as_it_is(self, raw: bytes, headers: dict[str, str]) -> int:
        """Send a body with the headers given, signed rightly or not."""
        async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
            answer = await client.post(
                f"{self._slack.recoup_url}/slack/events", content=raw, headers=headers
            )
        return answer.status_code


def user_of(user: str) -> dict[str, str]:
    """Return a user as Slack names them in an interaction."""
    return {"id": user, "name": NAMES.get(user, user), "team_id": "T1"}
