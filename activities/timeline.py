"""One plain line for each fact that people want to see in the thread; None for the others."""

from functools import singledispatch

from recoup.domain import facts as f
from recoup.domain.facts import Fact, Recorded
from recoup.domain.hypotheses import UNKNOWN_CAUSE
from recoup.domain.proposals import Verdict
from recoup.domain.verification import RecoveryVerdict


def line_for(entry: Recorded) -> str | None:
    """Return what the thread says about a fact."""
    text = words_for(entry.fact)
    return f"{entry.occurred_at:%H:%M:%S} UTC  {text}" if text else None


def words_for(fact: Fact) -> str | None:
    """Return a fact in plain words, without its time; None for what people need not see."""
    return _text(fact)


def has_line(kind: type[Fact]) -> bool:
    """Tell whether facts of this class are told in the thread."""
    return _text.dispatch(kind) is not _text.dispatch(object)


@singledispatch
def _text(_fact: Fact) -> str | None:
    return None


@_text.register
def _(fact: f.IncidentOpened) -> str:
    return (
        f"{fact.metric} fell out of its baseline for {fact.cohort.label} since "
        f"{fact.onset_at:%H:%M} UTC: {fact.observed:.1%} where {fact.expected:.1%} was expected."
    )


@_text.register
def _(fact: f.CausesRanked) -> str:
    first = fact.attribution.first
    if first.change_id == UNKNOWN_CAUSE:
        return f"Most likely no known change did it ({first.probability:.0%})."
    return f"Most likely cause: {first.title or first.change_id} ({first.probability:.0%})."


@_text.register
def _(fact: f.ProposalMade) -> str:
    return f"Proposal {fact.proposal.version}: {fact.proposal.title}. {fact.proposal.reason}"


@_text.register
def _(fact: f.DecisionTaken) -> str:
    decision = fact.decision
    name = decision.by.name or decision.by.id
    because = f" Reason: {decision.reason.rstrip('.')}." if decision.reason else ""
    if not fact.accepted:
        return f"Refused: {decision.verdict} by {name}. {fact.answer}"
    said = {
        Verdict.APPROVE: "approved",
        Verdict.REJECT: "rejected the proposal",
        Verdict.OTHER_PLAYBOOK: f"asked for {decision.playbook}",
        Verdict.FALSE_POSITIVE: "said that it is a false positive",
        Verdict.ACKNOWLEDGE: "is looking into it",
        Verdict.SNOOZE: "put it off",
    }[decision.verdict]
    return f"{name} {said} ({decision.surface}).{because} {fact.answer}".rstrip()


@_text.register
def _(_fact: f.ApprovalExpired) -> str:
    return "Nobody decided in time; nothing was done."


@_text.register
def _(fact: f.PlaybookHeld) -> str:
    return f"{fact.playbook} only looks on so far: {fact.reason}"


@_text.register
def _(fact: f.Escalated) -> str:
    return f"Escalated to {fact.to}: {fact.reason}"


@_text.register
def _(fact: f.ActionStarted) -> str:
    return f"Starting: {fact.preview.summary}."


@_text.register
def _(fact: f.ActionApplied) -> str:
    return f"Done: {fact.result.detail or fact.result.target}."


@_text.register
def _(fact: f.ActionConfirmed) -> str | None:
    if fact.holds:
        return None
    return f"Read again: {fact.target} is no longer as {fact.action} left it."


@_text.register
def _(fact: f.VendorReviewAsked) -> str:
    where = f" Give it at {fact.url}" if fact.url else ""
    return f"{fact.target} needs its vendor's own approval first, and that was asked for.{where}"


@_text.register
def _(fact: f.VendorReviewEnded) -> str:
    said = {
        "applied": "was given, and the change was made",
        "declined": "was declined",
        "withdrawn": "is no longer waited for",
    }[fact.status]
    return f"The vendor's own approval {said}."


@_text.register
def _(fact: f.ActionFailed) -> str:
    return f"Could not be done: {fact.action}: {fact.reason}"


@_text.register
def _(fact: f.ActionUndone) -> str:
    what = fact.target or fact.action
    if fact.restored:
        return f"Taken back: {what} is as it was."
    return f"Not taken back: {what}: {fact.reason}."


@_text.register
def _(_fact: f.VerificationStarted) -> str:
    return "Testing whether the cohort recovers."


@_text.register
def _(fact: f.VerificationConcluded) -> str:
    check = fact.check
    verdict = {
        RecoveryVerdict.RECOVERED: "Recovered",
        RecoveryVerdict.NOT_RECOVERED: "Not recovered",
        RecoveryVerdict.INCONCLUSIVE: "The test is inconclusive",
        RecoveryVerdict.NO_DATA: "No data to test with",
        RecoveryVerdict.UNDECIDED: "Undecided",
    }[check.verdict]
    figures = (
        f"{check.observed:.1%} where {check.expected:.1%} was expected, gap {check.gap:+.1%} "
        f"({check.gap_low:+.1%} to {check.gap_high:+.1%}), {check.trials:,} trials"
    )
    return f"{verdict}: {figures}. {check.reason}".rstrip()


@_text.register
def _(fact: f.CohortRecovered) -> str:
    return (
        f"The detector sees the cohort back at its baseline; over the last half hour it was "
        f"{fact.observed:.1%} where {fact.expected:.1%} was expected."
    )


@_text.register
def _(fact: f.FeedbackWithdrawn) -> str:
    because = f" Reason: {fact.reason.rstrip('.')}." if fact.reason else ""
    return f"{fact.by} took back that this was a false positive.{because}"


@_text.register
def _(_fact: f.ResponseResumed) -> str:
    return "Temporal no longer knew of this incident; the response goes on from the log."


@_text.register
def _(fact: f.IncidentClosed) -> str:
    return f"Closed: {fact.resolution.replace('_', ' ')}. {fact.summary}".rstrip()
