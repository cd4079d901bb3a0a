"""What becomes of a click, a form, a command or a look at the home tab.

Every listener acknowledges first and works later; a form is opened before anything else, because
what triggers it is good for three seconds only.
"""

import asyncio
from typing import Any

import structlog
from slack_bolt.async_app import AsyncAck, AsyncRespond
from slack_sdk.errors import SlackApiError

from integrations.slack.asking import SNOOZES
from integrations.slack.client import reason_of
from integrations.slack.forms import other_form, place_in, reason_form, reason_in
from integrations.slack.home import home_of
from integrations.slack.house import HELP, STRANGER, House
from integrations.slack.text import outside
from integrations.slack.tickets import NotATicket, Ticket
from recoup.domain.errors import RecoupError
from recoup.domain.facts import NewFact, RoundTripProven
from recoup.domain.ids import derive_id
from recoup.domain.proposals import Decision, DecisionAnswer, Verdict

SURFACE = "slack"
UNKNOWN_BUTTON = "This button is from another version of Recoup; nothing was decided."
FAILED = "Recoup could not take this now; nothing was decided. Try again, or use the page."
REPLACED = "This proposal was decided or replaced meanwhile; look at the message as it is now."

_log = structlog.get_logger()
_Body = dict[str, Any]


class Listeners:
    """The listeners of the app; each turns what Slack says into a word to the desk."""

    def __init__(self, house: House) -> None:
        self._house = house

    async def approve(self, ack: AsyncAck, body: _Body, respond: AsyncRespond) -> None:
        """Take the yes."""
        await ack()
        await self._decide(body, respond, Verdict.APPROVE)

    async def acknowledge(self, ack: AsyncAck, body: _Body, respond: AsyncRespond) -> None:
        """Note that somebody looks into it."""
        await ack()
        await self._decide(body, respond, Verdict.ACKNOWLEDGE)

    async def ask_reason(
        self, ack: AsyncAck, body: _Body, client: Any, respond: AsyncRespond
    ) -> None:
        """Open the form that asks why."""
        await ack()
        await self._open_form(body, client, respond, body["actions"][0]["action_id"])

    async def more(self, ack: AsyncAck, body: _Body, client: Any, respond: AsyncRespond) -> None:
        """Take a choice from the menu."""
        await ack()
        wish = str(body["actions"][0]["selected_option"]["value"])
        if wish in ("reject", "false_positive", "other_playbook"):
            await self._open_form(body, client, respond, wish)
        elif wish in SNOOZES:
            await self._decide(body, respond, Verdict.SNOOZE, snooze_s=SNOOZES[wish][1])
        elif wish == "acknowledge":
            await self._decide(body, respond, Verdict.ACKNOWLEDGE)
        else:
            await _say(respond, UNKNOWN_BUTTON)

    async def take_reason(self, ack: AsyncAck, body: _Body, view: _Body, client: Any) -> None:
        """Take the form with the reason for a no or a false positive."""
        await ack()
        verdict = Verdict(view["callback_id"])
        await self._take_form(body, view, client, verdict)

    async def take_other(self, ack: AsyncAck, body: _Body, view: _Body, client: Any) -> None:
        """Take the form with the other playbook."""
        await ack()
        await self._take_form(body, view, client, Verdict.OTHER_PLAYBOOK)

    async def command(self, ack: AsyncAck, body: _Body, respond: AsyncRespond) -> None:
        """Answer ``/recoup``."""
        await ack()
        try:
            text = await self._answer_command(body)
        except RecoupError as error:
            _log.warning("slack.command_failed", reason=str(error))
            text = "Recoup cannot look that up now. Try again, or open the page."
        await _say(respond, text)

    async def home(self, event: _Body, client: Any) -> None:
        """Draw the home tab for whoever opened it."""
        if event.get("tab", "home") != "home":
            return
        user_id = str(event["user"])
        person = await self._house.person(user_id)
        view = await home_of(self._house, person, user_id)
        await client.views_publish(user_id=user_id, view=view)

    async def proven(self, ack: AsyncAck, body: _Body, respond: AsyncRespond) -> None:
        """Note that a click on the card of ``recoup doctor`` arrived."""
        await ack()
        check_id = str(body["actions"][0].get("value", ""))[:100]
        person = await self._house.person(body["user"]["id"])
        fact = RoundTripProven(check_id=check_id, surface=SURFACE, by=person.id)
        new = NewFact(
            fact_id=derive_id("doctor", check_id),
            fact=fact,
            occurred_at=self._house.clock.now(),
            actor=person.id,
        )
        await asyncio.to_thread(self._house.log.append, "doctor", [new])
        await _say(respond, "It arrived: buttons work.")

    async def _answer_command(self, body: _Body) -> str:
        house = self._house
        word, _, rest = str(body.get("text") or "").strip().partition(" ")
        word = word.lower()
        if word in ("", "help"):
            return HELP
        person = await house.person(body["user_id"], str(body.get("user_name", "")))
        if not person.roles:
            return STRANGER.format(outside(body["user_id"], 50))
        if word in ("freeze", "unfreeze"):
            occasion = str(body.get("trigger_id", ""))
            return await house.freeze(person, word == "freeze", rest.strip()[:500], occasion)
        if word == "status":
            return await house.status()
        if word == "incidents":
            return await house.open_incidents()
        if word == "changes":
            return await house.recent_changes()
        return f"`{outside(word, 50)}` is none of the words I know.\n{HELP}"

    async def _open_form(self, body: _Body, client: Any, respond: AsyncRespond, kind: str) -> None:
        ticket = await self._ticket(body, respond)
        if ticket is None:
            return
        if kind != "other_playbook":
            wrong = kind == "false_positive"
            foreseen = await self._house.foreseen(ticket.incident_id) if wrong else ""
            view = reason_form(kind, ticket, foreseen)
        else:
            incident = await self._house.incident(ticket.incident_id)
            if incident is None or incident.proposal is None or Ticket.of(incident) != ticket:
                await _say(respond, REPLACED)
                await self._redraw(ticket.incident_id)
                return
            view = other_form(incident.proposal, ticket)
        try:
            await client.views_open(trigger_id=body["trigger_id"], view=view)
        except SlackApiError as error:
            _log.warning("slack.form_not_opened", reason=reason_of(error))
            await _say(respond, "The form could not be opened in time; press again.")

    async def _take_form(self, body: _Body, view: _Body, client: Any, verdict: Verdict) -> None:
        user_id = body["user"]["id"]
        try:
            ticket = Ticket.read(view["private_metadata"])
        except NotATicket:
            await client.chat_postMessage(channel=user_id, text=UNKNOWN_BUTTON)
            return
        more: dict[str, Any] = {"reason": reason_in(view)}
        if verdict is Verdict.OTHER_PLAYBOOK:
            more["playbook"] = await self._playbook_at(ticket, place_in(view))
        answer = await self._hand_over(body, ticket, verdict, str(view["id"]), **more)
        if not answer.accepted:
            await client.chat_postMessage(channel=user_id, text=outside(answer.text, 2900))

    async def _playbook_at(self, ticket: Ticket, place: int) -> str:
        """Return the name of the chosen playbook; empty when the proposal is another one by now."""
        incident = await self._house.incident(ticket.incident_id)
        proposal = incident.proposal if incident else None
        if proposal is None or proposal.proposal_id != ticket.proposal_id:
            return ""
        found = proposal.alternatives
        return found[place] if 0 <= place < len(found) else ""

    async def _decide(
        self, body: _Body, respond: AsyncRespond, verdict: Verdict, **more: Any
    ) -> None:
        ticket = await self._ticket(body, respond)
        if ticket is None:
            return
        occasion = str(body["actions"][0]["action_ts"])
        answer = await self._hand_over(body, ticket, verdict, occasion, **more)
        await _say(respond, outside(answer.text, 2900))

    async def _ticket(self, body: _Body, respond: AsyncRespond) -> Ticket | None:
        action = body["actions"][0]
        try:
            return Ticket.read(str(action.get("value") or action.get("block_id") or ""))
        except NotATicket:
            await _say(respond, UNKNOWN_BUTTON)
            return None

    async def _hand_over(
        self, body: _Body, ticket: Ticket, verdict: Verdict, occasion: str, **more: Any
    ) -> DecisionAnswer:
        """Take the decision to the desk; a click that did not count shows the message anew."""
        user = body["user"]
        name = str(user.get("name") or user.get("username") or user["id"])
        person = await self._house.person(user["id"], name)
        decision = Decision(
            # The same click again, however it comes, is the same decision.
            decision_id=derive_id(
                "dec", ticket.incident_id, ticket.proposal_id, person.id, verdict, occasion
            ),
            incident_id=ticket.incident_id,
            proposal_id=ticket.proposal_id,
            proposal_version=ticket.version,
            nonce=ticket.nonce,
            state_hash=ticket.state_hash,
            verdict=verdict,
            by=person,
            at=self._house.clock.now(),
            surface=SURFACE,
            **more,
        )
        try:
            answer = await self._house.desk.decide(decision)
        except RecoupError as error:
            _log.warning("slack.not_decided", reason=str(error))
            answer = DecisionAnswer(accepted=False, text=FAILED)
        if not answer.accepted:
            await self._redraw(ticket.incident_id)
        return answer

    async def _redraw(self, incident_id: str) -> None:
        """Show the message as it is now to whoever pressed an old one."""
        try:
            incident = await self._house.incident(incident_id)
            reference = incident.messages.get(SURFACE) if incident else None
            if incident is not None and reference and "ts" in reference:
                await self._house.notifier.update(incident, reference)
        except RecoupError as error:
            _log.warning("slack.not_redrawn", reason=str(error))


async def _say(respond: AsyncRespond, text: str) -> None:
    await respond(text=text, response_type="ephemeral", replace_original=False)
