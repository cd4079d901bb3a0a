"""From an incident to its Block Kit message: pure, escaped, within every limit of Slack's."""

from typing import Any

from slack_sdk.models.blocks import (
    ActionsBlock,
    Block,
    ButtonElement,
    ContextBlock,
    DividerBlock,
    HeaderBlock,
    ImageBlock,
    MarkdownTextObject,
    Option,
    OverflowMenuElement,
    PlainTextObject,
    SectionBlock,
)
from slack_sdk.models.blocks.basic_components import ConfirmObject

from recoup.domain.facts import Resolution
from recoup.domain.incident import Incident, Status
from recoup.domain.proposals import Proposal

HEADER_LIMIT = 150
SECTION_LIMIT = 2900
VALUE_LIMIT = 2000
SHOWN_CAUSES = 3

_ENDINGS = {
    Resolution.RECOVERED: ":white_check_mark: Recovered, and proven",
    Resolution.RECOVERED_ON_ITS_OWN: ":white_check_mark: Recovered on its own",
    Resolution.REJECTED: ":no_entry_sign: Rejected; nothing was done",
    Resolution.FALSE_POSITIVE: ":speech_balloon: False positive; Recoup learned from it",
    Resolution.ESCALATED: ":rotating_light: Escalated",
    Resolution.SHADOW: ":ghost: Shadow mode; nothing was done",
    Resolution.NOTED: ":memo: Noted",
}
_STATUS = {
    Status.OPENED: ":mag: Opened",
    Status.INVESTIGATING: ":mag: Investigating",
    Status.AWAITING_APPROVAL: ":raised_hand: Waiting for your decision",
    Status.EXECUTING: ":gear: Executing",
    Status.VERIFYING: ":hourglass_flowing_sand: Verifying the recovery",
    Status.CLOSED: ":checkered_flag: Closed",
}


def escape(text: str) -> str:
    """Escape what comes from outside for mrkdwn; no mention, link or formatting survives."""
    plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # A zero-width space keeps formatting characters from pairing up.
    return "".join(f"{sign}\u200b" if sign in "*_~`" else sign for sign in plain)


def fallback(incident: Incident) -> str:
    """Return the plain text for notifications and screen readers."""
    return f"{what_broke(incident)} for {incident.cohort.label}"[:SECTION_LIMIT]


def what_broke(incident: Incident) -> str:
    """Return one line: the metric, how far it is off, and in which direction."""
    word = "fell" if incident.direction == "drop" else "rose"
    return f"{incident.metric} {word} to {incident.observed:.1%} (expected {incident.expected:.1%})"


def message(incident: Incident, public_url: str) -> list[dict[str, Any]]:
    """Return the blocks of an incident's message as it stands now."""
    blocks: list[Block] = [
        HeaderBlock(text=PlainTextObject(text=_cut(what_broke(incident), HEADER_LIMIT))),
        _section(_summary(incident)),
    ]
    if public_url.startswith("https://") or "127.0.0.1" in public_url:
        chart = f"{public_url}/incidents/{incident.id}/chart.png?v={incident.version}"
        blocks.append(ImageBlock(image_url=chart, alt_text="Observed against expected"))
    causes = _causes(incident)
    if causes:
        blocks += [DividerBlock(), _section(causes)]
    blocks += _proposal(incident)
    blocks.append(_footer(incident, public_url))
    return [block.to_dict() for block in blocks]


def _summary(incident: Incident) -> str:
    impact = incident.impact
    lines = [
        f"*{_state(incident)}*",
        f"*For whom:* {escape(incident.cohort.label)}",
        f"*Since:* {incident.onset_at:%H:%M} UTC (noticed {incident.opened_at:%H:%M})",
        f"*At risk per hour:* {incident.at_risk_per_hour.text()}",
    ]
    if impact is not None:
        lines.append(f"*Lost so far:* {impact.lost_so_far.text()}")
    if incident.recovered_per_hour is not None:
        lines.append(f"*Recovered per hour:* {incident.recovered_per_hour.text()}")
    if incident.check is not None:
        check = incident.check
        lines.append(
            f"*Verification:* {check.observed:.1%} of {check.trials} trials where "
            f"{check.expected:.1%} is normal ({check.gap:+.1%})"
        )
    return "\n".join(lines)


def _state(incident: Incident) -> str:
    if incident.resolution is not None:
        return _ENDINGS[incident.resolution]
    return _STATUS[incident.status]


def _causes(incident: Incident) -> str:
    if incident.attribution is None:
        return ""
    lines = ["*What caused it*"]
    for hypothesis in incident.attribution.hypotheses[:SHOWN_CAUSES]:
        name = escape(_cut(hypothesis.title or hypothesis.change_id, 200))
        lines.append(f"{hypothesis.probability:.0%}  {name}")
        lines += [f"      • {escape(_cut(f.text, 250))}" for f in hypothesis.findings[:2]]
    return "\n".join(lines)


def _proposal(incident: Incident) -> list[Block]:
    proposal = incident.proposal
    if proposal is None:
        return []
    lines = ["*What can be done*", escape(_cut(proposal.title, 300))]
    lines += [
        f"• {escape(_cut(p.summary, 300))}. {escape(_cut(p.touched, 200))}"
        for p in proposal.previews[:5]
    ]
    if incident.status is not Status.AWAITING_APPROVAL:
        lines += _decisions(incident)
        return [DividerBlock(), _section("\n".join(lines))]
    rule = proposal.approval
    roles = escape(", ".join(rule.roles))
    lines.append(
        f"_Risk {escape(proposal.risk)}. {rule.quorum} of {roles} decide until "
        f"{proposal.expires_at:%H:%M} UTC; otherwise nothing is done._"
    )
    return [DividerBlock(), _section("\n".join(lines)), _buttons(proposal)]


def _decisions(incident: Incident) -> list[str]:
    return [
        f"_{escape(_cut(d.by.name, 80))}: {d.verdict.value.replace('_', ' ')} at {d.at:%H:%M} UTC"
        f"{f' ({escape(_cut(d.reason, 200))})' if d.reason else ''}_"
        for d in incident.decisions[-4:]
    ]


def _buttons(proposal: Proposal) -> Block:
    value = value_of(proposal)
    confirm = ConfirmObject(
        title="Carry it out?",
        text=PlainTextObject(text=_cut(proposal.title, 300)),
        confirm="Approve",
        deny="Back",
    )
    more = [Option(text="Acknowledge", value="acknowledge"), Option(text="Snooze", value="snooze")]
    more += [
        Option(text=_cut(f"Instead: {name}", 75), value=_cut(f"other:{name}", 150))
        for name in proposal.alternatives[:3]
    ]
    return ActionsBlock(
        block_id=_cut(f"proposal|{proposal.incident_id}|{proposal.version}", 255),
        elements=[
            ButtonElement(
                text="Approve", action_id="approve", value=value, style="primary", confirm=confirm
            ),
            ButtonElement(text="Reject", action_id="reject", value=value, style="danger"),
            ButtonElement(text="False positive", action_id="false_positive", value=value),
            OverflowMenuElement(action_id="more", options=more),
        ],
    )


def value_of(proposal: Proposal) -> str:
    """Return what a button carries: which proposal it belongs to, and its single-use nonce."""
    parts = (proposal.incident_id, proposal.proposal_id, str(proposal.version), proposal.nonce)
    return _cut("|".join(parts), VALUE_LIMIT)


def _footer(incident: Incident, public_url: str) -> Block:
    link = f"<{public_url}/incidents/{incident.id}|Open the incident>"
    text = f"{link} · {incident.id} · {incident.severity.value}"
    return ContextBlock(elements=[MarkdownTextObject(text=text)])


def _section(text: str) -> Block:
    return SectionBlock(text=MarkdownTextObject(text=_cut(text, SECTION_LIMIT)))


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
