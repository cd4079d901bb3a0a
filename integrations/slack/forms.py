"""The forms behind the buttons that need a word: a reason, or another playbook."""

from typing import Any

from slack_sdk.models.blocks import (
    InputBlock,
    MarkdownTextObject,
    Option,
    PlainTextInputElement,
    PlainTextObject,
    SectionBlock,
    StaticSelectElement,
)
from slack_sdk.models.views import View

from integrations.slack.text import outside, plain
from integrations.slack.tickets import Ticket
from recoup.domain.proposals import Proposal

LONGEST_REASON = 500
LONGEST_FORESEEN = 600
MOST_OPTIONS = 100
TITLES = {"reject": "Reject", "false_positive": "False positive"}
_HINTS = {
    "reject": "Nothing is done, and the incident is closed with this reason.",
    "false_positive": "The incident is closed, what was done is undone, and Recoup learns from it.",
}


def reason_form(kind: str, ticket: Ticket, foreseen: str = "") -> dict[str, Any]:
    """Return the form that asks why, for ``reject`` or ``false_positive``.

    ``foreseen`` says what the answer would change, before it is given.
    """
    told = (
        [SectionBlock(text=PlainTextObject(text=plain(foreseen, LONGEST_FORESEEN)))]
        if foreseen
        else []
    )
    return _form(
        kind,
        ticket,
        TITLES[kind],
        [
            *told,
            InputBlock(
                block_id="reason",
                label=PlainTextObject(text="Why?"),
                hint=PlainTextObject(text=_HINTS[kind]),
                element=PlainTextInputElement(
                    action_id="text", multiline=True, max_length=LONGEST_REASON
                ),
            ),
        ],
    )


def other_form(proposal: Proposal, ticket: Ticket) -> dict[str, Any]:
    """Return the form with the other playbooks; an option carries its place, not its name."""
    options = [
        Option(text=plain(name.replace("_", " "), 75, empty="(no name)"), value=str(place))
        for place, name in enumerate(proposal.alternatives[:MOST_OPTIONS])
    ]
    instead = f"Instead of *{outside(proposal.title, 300)}*. It is put before you first."
    return _form(
        "other_playbook",
        ticket,
        "Other playbook",
        [
            SectionBlock(text=MarkdownTextObject(text=instead, verbatim=True)),
            InputBlock(
                block_id="playbook",
                label=PlainTextObject(text="Which one?"),
                element=StaticSelectElement(action_id="name", options=options),
            ),
            InputBlock(
                block_id="reason",
                label=PlainTextObject(text="Why?"),
                optional=True,
                element=PlainTextInputElement(action_id="text", max_length=LONGEST_REASON),
            ),
        ],
    )


def reason_in(view: dict[str, Any]) -> str:
    """Return the reason somebody gave, if any."""
    found = view["state"]["values"].get("reason", {}).get("text", {}).get("value")
    return str(found or "")[:LONGEST_REASON]


def place_in(view: dict[str, Any]) -> int:
    """Return the place of the chosen playbook among the alternatives, -1 for none."""
    chosen = view["state"]["values"].get("playbook", {}).get("name", {}).get("selected_option")
    value = str((chosen or {}).get("value", ""))
    return int(value) if value.isascii() and value.isdigit() and len(value) < 4 else -1


def _form(kind: str, ticket: Ticket, title: str, blocks: list[Any]) -> dict[str, Any]:
    view = View(
        type="modal",
        callback_id=kind,
        private_metadata=ticket.write(),
        title=PlainTextObject(text=title),
        submit=PlainTextObject(text="Send"),
        close=PlainTextObject(text="Back"),
        blocks=blocks,
    )
    made: dict[str, Any] = view.to_dict()
    return made
