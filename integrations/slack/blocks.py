"""From an incident to its Block Kit message: pure, escaped, within every limit of Slack's."""

from typing import Any

from slack_sdk.models.blocks import (
    Block,
    ContextBlock,
    DividerBlock,
    HeaderBlock,
    ImageBlock,
    MarkdownTextObject,
    PlainTextObject,
    SectionBlock,
)
from slack_sdk.models.blocks.basic_components import SlackFile

from integrations.slack.asking import asking
from integrations.slack.text import lines_within, moment, outside, plain
from recoup.domain.facts import Resolution
from recoup.domain.incident import Incident, Status
from recoup.domain.wording import words

HEADER_LIMIT = 150
SECTION_LIMIT = 2900
SHOWN_CAUSES = 3
LEAST_SHOWN = 0.005
"""What rounds to nothing is left to the page."""

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


def fallback(incident: Incident) -> str:
    """Return the text for notifications and screen readers."""
    return outside(f"{what_broke(incident)} for {incident.cohort.label}", SECTION_LIMIT)


def what_broke(incident: Incident) -> str:
    """Return one line: the metric, how far it is off, and in which direction."""
    word = "fell" if incident.direction == "drop" else "rose"
    metric, expected = words(incident.metric), f"(expected {incident.expected:.1%})"
    return f"{metric} {word} to {incident.observed:.1%} {expected}"


def state_of(incident: Incident) -> str:
    """Return where the incident stands, in a few words with an emoji."""
    if incident.resolution is not None:
        return _ENDINGS[incident.resolution]
    return _STATUS[incident.status]


def message(
    incident: Incident, public_url: str, chart: dict[str, str] | None = None
) -> list[dict[str, Any]]:
    """Return the blocks of an incident's message as it stands now.

    ``chart`` is ``{"id": ...}`` of an uploaded file, or ``{"url": ...}`` of a public address.
    """
    blocks: list[Block] = [
        HeaderBlock(
            text=PlainTextObject(text=plain(what_broke(incident), HEADER_LIMIT), emoji=False)
        ),
        section(_summary(incident)),
    ]
    if chart:
        blocks.append(_image(incident, chart))
    causes = _causes(incident)
    if causes:
        blocks += [DividerBlock(), section(causes)]
    blocks += asking(incident, public_url)
    blocks.append(_footer(incident, public_url))
    return [block.to_dict() for block in blocks]


def section(lines: list[str]) -> SectionBlock:
    """Return a section of as many whole lines as Slack takes."""
    text = lines_within(lines, SECTION_LIMIT)
    return SectionBlock(text=MarkdownTextObject(text=text, verbatim=True))


def _summary(incident: Incident) -> list[str]:
    impact = incident.impact
    lines = [
        f"*{state_of(incident)}*",
        f"*For whom:* {outside(incident.cohort.label, 500)}",
        f"*Since:* {moment(incident.onset_at)} (noticed {moment(incident.opened_at)})",
        f"*At risk per hour:* {outside(incident.at_risk_per_hour.text(), 200)}",
    ]
    if impact is not None:
        lines.append(f"*Lost so far:* {outside(impact.lost_so_far.text(), 200)}")
    if incident.recovered_per_hour is not None:
        lines.append(f"*Recovered per hour:* {outside(incident.recovered_per_hour.text(), 200)}")
    if incident.check is not None:
        check = incident.check
        verdict = check.verdict.value.replace("_", " ")
        lines.append(
            f"*Verification:* {verdict}: {check.observed:.1%} of {check.trials:,} trials where "
            f"{check.expected:.1%} is normal ({check.gap:+.1%})"
        )
    return lines


def _image(incident: Incident, chart: dict[str, str]) -> ImageBlock:
    alt = f"Observed against expected rate of {words(incident.metric)} for {incident.cohort.label}"
    if "id" in chart:
        return ImageBlock(slack_file=SlackFile(id=chart["id"]), alt_text=plain(alt, 300))
    return ImageBlock(image_url=chart["url"], alt_text=plain(alt, 300))


def _causes(incident: Incident) -> list[str]:
    if incident.attribution is None:
        return []
    lines = ["*What probably did it*"]
    for place, hypothesis in enumerate(incident.attribution.hypotheses[:SHOWN_CAUSES]):
        if place and hypothesis.probability < LEAST_SHOWN:
            break
        name = outside(hypothesis.title or hypothesis.change_id, 250)
        lines.append(f"{hypothesis.probability:.0%}  {name}")
        for finding in hypothesis.findings[:2]:
            side = "for" if finding.weight >= 0 else "against"
            lines.append(f"      • {side}: {outside(finding.text, 300)}")
    return lines


def _footer(incident: Incident, public_url: str) -> Block:
    parts = [outside(incident.id, 100), incident.severity.value]
    if address := page_of(incident, public_url):
        parts.insert(0, f"<{address}|Open the incident>")
    text = MarkdownTextObject(text=" · ".join(parts), verbatim=True)
    return ContextBlock(elements=[text])


def page_of(incident: Incident, public_url: str) -> str:
    """Return the address of the incident's page, or nothing when it cannot be a link."""
    address = f"{public_url}/incidents/{incident.id}"
    is_safe = address.startswith(("https://", "http://")) and not set(address) & set(" <>|\n\r\t")
    return address if is_safe and len(address) <= 1000 else ""
