"""The home tab: how things stand, what may be pressed, and who the reader is to Recoup."""

from typing import Any

from slack_sdk.models.blocks import (
    Block,
    ContextBlock,
    DividerBlock,
    HeaderBlock,
    MarkdownTextObject,
    PlainTextObject,
    SectionBlock,
)
from slack_sdk.models.views import View

from integrations.slack.house import HELP, STRANGER, House
from integrations.slack.text import outside
from recoup.domain.proposals import Person


async def home_of(house: House, person: Person, user_id: str) -> dict[str, Any]:
    """Return the view that this person sees."""
    if not person.roles:
        blocks: list[Block] = [_text(STRANGER.format(outside(user_id, 50)))]
    else:
        blocks = [
            HeaderBlock(text=PlainTextObject(text="Recoup", emoji=False)),
            _text(await house.status()),
            DividerBlock(),
            _text(f"*Changed lately*\n{await house.recent_changes()}"[:2990]),
            DividerBlock(),
            _text(HELP),
            ContextBlock(elements=[MarkdownTextObject(text=_who(person), verbatim=True)]),
        ]
    view: dict[str, Any] = View(type="home", blocks=blocks).to_dict()
    return view


def _who(person: Person) -> str:
    roles = outside(", ".join(person.roles), 200)
    return f"You are {outside(person.name or person.id, 80)}, with the roles: {roles}."


def _text(text: str) -> Block:
    return SectionBlock(text=MarkdownTextObject(text=text, verbatim=True))
