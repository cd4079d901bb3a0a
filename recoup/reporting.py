"""Reports for people: one incident from its facts, and a week; as Markdown, HTML, chat and mail."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markdown_it import MarkdownIt

from activities.closing import plain, render_report
from integrations.slack.text import lines_within, outside
from recoup.domain.errors import InvalidInput, NotFound
from recoup.domain.incident import Incident
from recoup.performance import WEEK, Figures, FollowUp, figures, follow_ups, week_of
from store.opening import Store

SLACK_LONGEST, LINE = 2900, 200
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")


def incident_report(store: Store, incident_id: str) -> str:
    """Return the report of an incident as Markdown, from the log alone. Raises NotFound."""
    incident = store.incidents.get(incident_id)
    if incident is None:
        raise NotFound(f"no incident {incident_id!r}; `recoup incidents list` shows them")
    return render_report(incident, store.read_stream(incident_id))


def to_html(markdown: str) -> str:
    """Return Markdown as an HTML fragment; HTML inside it is shown, not obeyed."""
    return str(_MARKDOWN.render(markdown))


def document(title: str, markdown: str) -> str:
    """Return Markdown as a whole HTML document that needs nothing else."""
    return _environment().get_template("document.html").render(title=title, body=to_html(markdown))


class Digest:
    """What a week was like."""

    def __init__(
        self,
        incidents: Sequence[Incident],
        week: datetime,
        now: datetime,
        currency: str,
        url: str = "",
    ) -> None:
        self.week, self.url = week, url.rstrip("/")
        self.figures: Figures = figures(incidents, week, week + WEEK, currency)
        self.before: Figures = figures(incidents, week - WEEK, week, currency)
        self.incidents = [each for each in incidents if week <= each.opened_at < week + WEEK]
        recent = [each for each in incidents if each.opened_at > now - timedelta(days=60)]
        self.follow_ups: list[FollowUp] = follow_ups(recent)

    @property
    def title(self) -> str:
        """The headline."""
        year, number, _ = self.week.isocalendar()
        return f"Recoup, week {number} of {year}"

    def markdown(self) -> str:
        """Return the digest as Markdown."""
        template = _environment().get_template("digest.md")
        return template.render(digest=self, this=self.figures, before=self.before)

    def slack(self) -> dict[str, Any]:
        """Return the digest as a message of Block Kit, with a text for notifications."""
        this = self.figures
        fields = [
            f"*Incidents*\n{this.opened} (before {self.before.opened})",
            f"*Lost*\n{this.lost.text()}",
            f"*Recovered per hour*\n{this.recovered_per_hour.text()}",
            f"*At risk per hour*\n{this.at_risk_per_hour.text()}",
            f"*Time to detect*\n{minutes(this.minutes_to_detect)}",
            f"*Time to resolve*\n{minutes(this.minutes_to_resolve)}",
            f"*False positives*\n{share(this.false_positive_rate)}",
            f"*Still open*\n{len(self.follow_ups)}",
        ]
        blocks: list[dict[str, Any]] = [
            {"type": "header", "text": {"type": "plain_text", "text": self.title}},
            {"type": "section", "fields": [{"type": "mrkdwn", "text": text} for text in fields]},
        ]
        for name, lines in (("Incidents", self._incident_lines()), ("Still open", self._open())):
            if lines:
                text = lines_within([f"*{name}*", *lines], SLACK_LONGEST)
                section = {"type": "mrkdwn", "text": text}
                blocks.append({"type": "section", "text": section})
        return {"text": f"{self.title}: {this.opened} incidents", "blocks": blocks}

    def email(self, sender: str, to: Sequence[str]) -> EmailMessage:
        """Return the digest as a mail with a plain and an HTML part."""
        message = EmailMessage()
        message["Subject"] = self.title
        message["From"] = sender
        message["To"] = ", ".join(to)
        markdown = self.markdown()
        message.set_content(markdown)
        message.add_alternative(document(self.title, markdown), subtype="html")
        return message

    def _incident_lines(self) -> list[str]:
        return [
            f"• {outside(each.metric, LINE)} for {outside(each.cohort.label, LINE)}: "
            f"{(each.resolution or each.status).replace('_', ' ')}"
            for each in self.incidents[:15]
        ]

    def _open(self) -> list[str]:
        return [
            f"• {outside(item.what, LINE)}: {outside(item.why, LINE)}"
            for item in self.follow_ups[:15]
        ]


def week_from(text: str, now: datetime) -> datetime:
    """Return the Monday of ``2026-W47``, ``this`` or ``last``. Raises InvalidInput."""
    if text in ("this", "last"):
        return week_of(now) - (WEEK if text == "last" else timedelta())
    try:
        return datetime.strptime(f"{text}-1 +0000", "%G-W%V-%u %z")
    except ValueError:
        raise InvalidInput(f"{text!r} is not a week: say 2026-W47, this, or last") from None


def minutes(value: float | None) -> str:
    """Return minutes for people."""
    return "-" if value is None else f"{value:.0f} min"


def share(value: float | None) -> str:
    """Return a share for people."""
    return "-" if value is None else f"{value:.0%}"


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("recoup"),
        autoescape=select_autoescape(("html",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(plain=plain, minutes=minutes, share=share)
    return environment
