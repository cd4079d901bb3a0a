"""The part of the message that asks: what would be done, what each button does, who, until when."""

from slack_sdk.models.blocks import (
    ActionsBlock,
    Block,
    ButtonElement,
    DividerBlock,
    InteractiveElement,
    MarkdownTextObject,
    Option,
    OverflowMenuElement,
    PlainTextObject,
    SectionBlock,
)
from slack_sdk.models.blocks.basic_components import ConfirmObject

from integrations.slack.text import lines_within, moment, outside, plain
from integrations.slack.tickets import Ticket
from recoup.domain.incident import Incident, Status
from recoup.domain.proposals import Decision, Proposal, Rung, Verdict

PROPOSAL_LIMIT, RULES_LIMIT, DECISIONS_LIMIT = 1900, 2000, 1500
"""Together with the rest of the message they stay below what Slack takes in all (13,200)."""
SHOWN_PREVIEWS = 5
SHOWN_DECISIONS = 4
SNOOZES = {"snooze_30": ("Snooze 30 minutes", 1800), "snooze_120": ("Snooze 2 hours", 7200)}
"""What the menu offers, and how long each is."""
_SAID = {
    Verdict.APPROVE: "approved",
    Verdict.REJECT: "rejected",
    Verdict.OTHER_PLAYBOOK: "asked for another playbook",
    Verdict.FALSE_POSITIVE: "called it a false positive",
    Verdict.ACKNOWLEDGE: "is looking into it",
    Verdict.SNOOZE: "put the question off",
}


def asking(incident: Incident, public_url: str) -> list[Block]:
    """Return what is proposed with its buttons, or what became of it."""
    blocks: list[Block] = []
    proposal = incident.proposal
    open_now = incident.status is Status.AWAITING_APPROVAL and not incident.shadow
    if proposal is not None:
        blocks += [DividerBlock(), _section(_proposed(proposal), PROPOSAL_LIMIT)]
        if open_now:
            blocks.append(_section(_rules(incident, proposal), RULES_LIMIT))
    decided = [_decided(decision) for decision in incident.decisions[-SHOWN_DECISIONS:]]
    if decided:
        blocks.append(_section(decided, DECISIONS_LIMIT))
    if incident.status is Status.CLOSED:
        return blocks
    ticket = Ticket.of(incident)
    if not ticket.fits:
        where = outside(public_url, 500) or "Recoup"
        return [*blocks, _section([f"_Decide on the page of the incident: {where}_"], 900)]
    if proposal is not None and open_now:
        return [*blocks, _buttons(incident, proposal, ticket)]
    return [*blocks, _quiet_buttons(ticket)]


def _proposed(proposal: Proposal) -> list[str]:
    lines = ["*What Recoup proposes*", outside(proposal.title, 300)]
    previews = proposal.previews or proposal.suggested
    lines += [
        f"• {outside(each.summary, 300)}. {outside(each.touched, 200)}"
        for each in previews[:SHOWN_PREVIEWS]
    ]
    if len(previews) > SHOWN_PREVIEWS:
        lines.append(f"• and {len(previews) - SHOWN_PREVIEWS} more")
    if proposal.reason:
        lines.append(f"_Why: {outside(proposal.reason, 400)}_")
    return lines


def _rules(incident: Incident, proposal: Proposal) -> list[str]:
    return [
        "*What the buttons do*",
        f"• *Approve*: {_effect_of_yes(proposal)}",
        "• *Reject*: nothing is done, and the incident is closed with your reason.",
        "• *Other playbook*: choose another way; it is put before you first.",
        "• *False positive*: closes it and undoes what was done; Recoup learns from your reason.",
        "• *Snooze*: the question stays open longer. *Acknowledge*: others see that you look.",
        "",
        *_who_and_when(incident, proposal),
    ]


def _effect_of_yes(proposal: Proposal) -> str:
    if proposal.rung is Rung.SUGGEST and proposal.suggested:
        return "press it once you did it yourself; Recoup then tests whether it helped."
    if not proposal.calls:
        return "press it once it is mended by hand; Recoup then tests whether it helped."
    return (
        f"carries it out now (risk: {outside(proposal.risk, 50)}), tests whether it helped, and "
        "takes it back if it did not."
    )


def _who_and_when(incident: Incident, proposal: Proposal) -> list[str]:
    rule = proposal.approval
    roles = outside(" or ".join(rule.roles), 200)
    people = "one person" if rule.quorum == 1 else f"{rule.quorum} different people"
    but = ""
    if rule.not_requester and proposal.requested_by:
        names = outside(", ".join(proposal.requested_by), 200)
        but = f", but not whoever requested it ({names})"
    lines = [
        f"*Who may press:* {people} with the role {roles}{but}.",
        f"*Until:* {moment(proposal.expires_at)}; after that nothing is done and people are woken.",
    ]
    yes = [
        outside(each.by.name or each.by.id, 80)
        for each in incident.decisions
        if each.verdict is Verdict.APPROVE and each.proposal_id == proposal.proposal_id
    ]
    if yes:
        lines.append(f"*So far:* {len(yes)} of {rule.quorum} said yes ({', '.join(yes[:5])}).")
    return lines


def _decided(decision: Decision) -> str:
    name = outside(decision.by.name or decision.by.id, 80)
    because = f": {outside(decision.reason, 300)}" if decision.reason else ""
    return f"_{name} {_SAID[decision.verdict]} at {moment(decision.at)}{because}_"


def _buttons(incident: Incident, proposal: Proposal, ticket: Ticket) -> Block:
    value = ticket.write()
    confirm = ConfirmObject(
        title="Carry it out?",
        text=PlainTextObject(text=plain(proposal.title, 300), emoji=False),
        confirm="Approve",
        deny="Back",
    )
    more = [Option(text="False positive…", value="false_positive")]
    if proposal.alternatives:
        more.insert(0, Option(text="Other playbook…", value="other_playbook"))
    more.append(Option(text="Acknowledge", value="acknowledge"))
    if not was_snoozed(incident):
        more += [Option(text=text, value=name) for name, (text, _) in SNOOZES.items()]
    elements: list[InteractiveElement] = [
        ButtonElement(
            text="Approve", action_id="approve", value=value, style="primary", confirm=confirm
        ),
        ButtonElement(text="Reject…", action_id="reject", value=value, style="danger"),
        OverflowMenuElement(action_id="more", options=more),
    ]
    return ActionsBlock(block_id=value, elements=elements)


def was_snoozed(incident: Incident) -> bool:
    """Tell whether the open question was put off before; it is put off only once."""
    proposal = incident.proposal
    return proposal is not None and any(
        each.verdict is Verdict.SNOOZE and each.at >= proposal.made_at
        for each in incident.decisions
    )


def _quiet_buttons(ticket: Ticket) -> Block:
    """Return the buttons of an open incident that asks nothing at this moment."""
    value = ticket.write()
    return ActionsBlock(
        block_id=value,
        elements=[
            ButtonElement(text="Acknowledge", action_id="acknowledge", value=value),
            ButtonElement(text="False positive…", action_id="false_positive", value=value),
        ],
    )


def _section(lines: list[str], limit: int) -> Block:
    text = lines_within(lines, limit)
    return SectionBlock(text=MarkdownTextObject(text=text, verbatim=True))
