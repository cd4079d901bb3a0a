"""What the pages of playbooks, settings, the audit log and the business show; no HTML here."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from activities.trust import Trust
from playbooks.loader import load_library
from recoup.app import App
from recoup.domain import facts as f
from recoup.domain.errors import PlaybookInvalid
from recoup.domain.facts import Recorded
from recoup.domain.proposals import Verdict
from recoup.domain.verification import RecoveryVerdict
from recoup.inforce import rows
from recoup.performance import Figures, by_week, follow_ups
from recoup.web.freezing import freeze_of

SCORED = timedelta(days=365)
TRAIL_PAGE = 100
WEEKS = 12
_TYPES = (
    "proposal.made",
    "decision.taken",
    "action.applied",
    "action.failed",
    "action.undone",
    "verification.concluded",
    "approval.expired",
)


class ScoreCard(NamedTuple):
    """What became of a playbook's proposals."""

    proposed: int
    approved: int
    rejected: int
    expired: int
    failed: int
    undone: int
    recovered: int
    not_recovered: int

    @property
    def success(self) -> float | None:
        """The share of proven recoveries among those that came to a verdict."""
        judged = self.recovered + self.not_recovered
        return self.recovered / judged if judged else None


def playbooks_of(app: App) -> dict[str, Any]:
    """Return the playbooks in force with their score cards and how far each is trusted."""
    freeze = freeze_of(app)
    try:
        library = load_library(app.settings.response.playbook_dir)
    except PlaybookInvalid as error:
        return {"playbooks": [], "problem": str(error), "freeze": freeze}
    entries = app.store.trail.since(app.clock.now() - SCORED, _TYPES)
    cards = score_cards(entries)
    none = ScoreCard(0, 0, 0, 0, 0, 0, 0, 0)
    ordered = sorted(library.values(), key=lambda each: (-each.priority, each.name))
    rungs = {name: each.rung for name, each in Trust(app.store, library).standings().items()}
    found = [(each, cards.get(each.name, none), rungs[each.name]) for each in ordered]
    return {"playbooks": found, "problem": "", "freeze": freeze}


def score_cards(entries: Sequence[Recorded]) -> dict[str, ScoreCard]:
    """Return a score card for each playbook that was proposed, from facts in order."""
    playbook_of: dict[str, str] = {}
    latest_of: dict[str, str] = {}
    counts: dict[str, Counter[str]] = {}
    for entry in entries:
        fact = entry.fact
        if isinstance(fact, f.ProposalMade):
            playbook_of[fact.proposal.proposal_id] = fact.proposal.playbook
            latest_of[fact.incident_id] = fact.proposal.playbook
        what = _what(fact)
        proposal = _proposal_of(fact)
        name = playbook_of.get(proposal) or latest_of.get(entry.stream)
        if what and name:
            counts.setdefault(name, Counter())[what] += 1
    return {
        name: ScoreCard(*(mine[key] for key in ScoreCard._fields)) for name, mine in counts.items()
    }


def _proposal_of(fact: f.Fact) -> str:
    if isinstance(fact, f.DecisionTaken):
        return fact.decision.proposal_id
    return str(getattr(fact, "proposal_id", ""))


def _what(fact: f.Fact) -> str:
    if isinstance(fact, f.DecisionTaken):
        said = {Verdict.APPROVE: "approved", Verdict.REJECT: "rejected"}
        return said.get(fact.decision.verdict, "") if fact.accepted else ""
    if isinstance(fact, f.VerificationConcluded):
        proven = {
            RecoveryVerdict.RECOVERED: "recovered",
            RecoveryVerdict.NOT_RECOVERED: "not_recovered",
        }
        return proven.get(fact.check.verdict, "")
    plain = {
        f.ProposalMade: "proposed",
        f.ApprovalExpired: "expired",
        f.ActionFailed: "failed",
        f.ActionUndone: "undone",
    }
    return plain.get(type(fact), "")


def settings_of(app: App) -> dict[str, Any]:
    """Return the settings in force, grouped by their section; secrets are masked."""
    groups: dict[str, list[Any]] = {}
    for row in rows(app.settings):
        groups.setdefault(row.group or "recoup", []).append(row)
    return {"groups": groups, "file": app.settings.config_file}


def audit_of(
    app: App, *, before: int | None, type_name: str, stream: str, actor: str
) -> dict[str, Any]:
    """Return a page of the audit log, the latest first."""
    found = app.store.trail.latest(
        before=before, limit=TRAIL_PAGE + 1, type_name=type_name, stream=stream, actor=actor
    )
    return {
        "entries": [(item, item.entry.fact.model_dump(mode="json")) for item in found[:TRAIL_PAGE]],
        "older": found[TRAIL_PAGE - 1].entry.position if len(found) > TRAIL_PAGE else None,
        "types": sorted(f.FACT_TYPES),
        "type_name": type_name,
        "stream": stream,
        "actor": actor,
        "before": before,
    }


class Bars(NamedTuple):
    """One figure by week: for each its height between 0 and 1 and its text; None where unknown."""

    name: str
    title: str
    bars: list[tuple[str, float, str]]


def business_of(app: App) -> dict[str, Any]:
    """Return the key figures over time, and what is still open."""
    now = app.clock.now()
    incidents = app.store.incidents.list(limit=5000)
    weeks = by_week(incidents, now, WEEKS, app.settings.currency)
    recent = [each for each in incidents if each.opened_at > now - timedelta(days=60)]
    return {
        "weeks": weeks,
        "this": weeks[-1],
        "last": weeks[-2],
        "charts": _bars(weeks),
        "follow_ups": follow_ups(recent),
        "currency": app.settings.currency,
    }


def _bars(weeks: list[Figures]) -> list[Bars]:
    def bars(name: str, title: str, values: list[float | None]) -> Bars:
        top = max((value or 0.0 for value in values), default=0.0) or 1.0
        made = [
            (f"{week.start:%d %b}", (value or 0.0) / top, _short(value))
            for week, value in zip(weeks, values, strict=True)
        ]
        return Bars(name, title, made)

    currency = weeks[0].lost.currency
    rates = [None if w.false_positive_rate is None else 100 * w.false_positive_rate for w in weeks]
    return [
        bars("opened", "Incidents", [float(w.opened) for w in weeks]),
        bars("lost", f"Lost ({currency})", [w.lost.mid for w in weeks]),
        bars(
            "recovered",
            f"Recovered per hour ({currency})",
            [w.recovered_per_hour.mid for w in weeks],
        ),
        bars("detect", "Minutes to detect", [w.minutes_to_detect for w in weeks]),
        bars("resolve", "Minutes to resolve", [w.minutes_to_resolve for w in weeks]),
        bars("false", "False positives (%)", rates),
    ]


def _short(value: float | None) -> str:
    """Return a figure in at most four signs, so that twelve stand side by side."""
    if value is None:
        return "-"
    for size, sign in ((1e6, "M"), (1e3, "k")):
        if value >= 0.9995 * size:
            scaled = value / size
            return f"{scaled:.1f}{sign}" if scaled < 9.95 else f"{scaled:.0f}{sign}"
    return f"{value:.0f}"
