"""The Bolt app: a click or a form becomes a decision; acknowledged first, answered after."""

from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond

from integrations.slack.client import web_client
from integrations.slack.settings import SlackSettings
from recoup.domain.clock import Clock
from recoup.domain.ids import derive_id
from recoup.domain.ports import DecisionDesk, Directory
from recoup.domain.proposals import Decision, Verdict

SURFACE = "slack"
SNOOZE_S = 1800
_WITH_REASON = {"reject": Verdict.REJECT, "false_positive": Verdict.FALSE_POSITIVE}
_TITLES = {"reject": "Reject the proposal", "false_positive": "False positive"}


def build_bolt(
    settings: SlackSettings, desk: DecisionDesk, directory: Directory, clock: Clock
) -> AsyncApp:
    """Return the app that takes Slack's signed interactions."""
    secret = settings.signing_secret.get_secret_value() if settings.signing_secret else ""
    app = AsyncApp(client=web_client(settings), signing_secret=secret)
    listeners = _Listeners(desk, directory, clock)
    app.action("approve")(listeners.approve)
    for name in _WITH_REASON:
        app.action(name)(listeners.ask_reason)
        app.view(name)(listeners.take_reason)
    app.action("more")(listeners.more)
    return app


class _Listeners:
    def __init__(self, desk: DecisionDesk, directory: Directory, clock: Clock) -> None:
        self._desk = desk
        self._directory = directory
        self._clock = clock

    async def approve(self, ack: AsyncAck, body: dict[str, Any], respond: AsyncRespond) -> None:
        await ack()
        action = body["actions"][0]
        decision = self._decision(body, action["value"], Verdict.APPROVE, action["action_ts"])
        await self._hand_over(decision, respond)

    async def more(self, ack: AsyncAck, body: dict[str, Any], respond: AsyncRespond) -> None:
        await ack()
        action = body["actions"][0]
        wish = str(action["selected_option"]["value"])
        value = _value_in(body)
        kind = Verdict.OTHER_PLAYBOOK if wish.startswith("other:") else Verdict(wish)
        decision = self._decision(body, value, kind, action["action_ts"])
        more = {"playbook": wish.removeprefix("other:")} if kind is Verdict.OTHER_PLAYBOOK else {}
        snooze = {"snooze_s": SNOOZE_S} if kind is Verdict.SNOOZE else {}
        await self._hand_over(decision.model_copy(update={**more, **snooze}), respond)

    async def ask_reason(self, ack: AsyncAck, body: dict[str, Any], client: Any) -> None:
        await ack()
        action = body["actions"][0]
        await client.views_open(
            trigger_id=body["trigger_id"],
            view=_reason_form(action["action_id"], action["value"]),
        )

    async def take_reason(
        self, ack: AsyncAck, body: dict[str, Any], view: dict[str, Any], client: Any
    ) -> None:
        await ack()
        reason = str(view["state"]["values"]["reason"]["text"].get("value") or "")
        verdict = _WITH_REASON[view["callback_id"]]
        decision = self._decision(body, view["private_metadata"], verdict, view["id"])
        answer = await self._desk.decide(decision.model_copy(update={"reason": reason}))
        if not answer.accepted:
            await client.chat_postMessage(channel=body["user"]["id"], text=answer.text)

    async def _hand_over(self, decision: Decision, respond: AsyncRespond) -> None:
        answer = await self._desk.decide(decision)
        await respond(text=answer.text, response_type="ephemeral", replace_original=False)

    def _decision(
        self, body: dict[str, Any], value: str, verdict: Verdict, occasion: str
    ) -> Decision:
        incident_id, proposal_id, version, nonce = value.split("|")
        user = body["user"]
        name = str(user.get("name") or user.get("username") or user["id"])
        person = self._directory.person(SURFACE, user["id"], name)
        return Decision(
            decision_id=derive_id("dec", incident_id, proposal_id, person.id, verdict, occasion),
            incident_id=incident_id,
            proposal_id=proposal_id,
            proposal_version=int(version),
            nonce=nonce,
            verdict=verdict,
            by=person,
            at=self._clock.now(),
            surface=SURFACE,
        )


def _value_in(body: dict[str, Any]) -> str:
    """Return the value of the message's approve button, for a menu that has none of its own."""
    for block in body["message"]["blocks"]:
        for element in block.get("elements", ()):
            if element.get("action_id") == "approve":
                return str(element["value"])
    raise ValueError("the message has no open proposal")


def _reason_form(action_id: str, value: str) -> dict[str, Any]:
    return {
        "type": "modal",
        "callback_id": action_id,
        "private_metadata": value,
        "title": {"type": "plain_text", "text": _TITLES[action_id]},
        "submit": {"type": "plain_text", "text": "Send"},
        "close": {"type": "plain_text", "text": "Back"},
        "blocks": [
            {
                "type": "input",
                "block_id": "reason",
                "label": {"type": "plain_text", "text": "Why? Recoup learns from it."},
                "element": {"type": "plain_text_input", "action_id": "text", "max_length": 500},
            }
        ],
    }
