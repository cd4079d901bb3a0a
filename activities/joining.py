"""Joins the activities to the ports they need; the worker registers what comes out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from activities.analysis import Analyst
from activities.closing import Closing
from activities.doing import Doing, Hands
from activities.investigating import Investigating
from activities.lessons import Lessons
from activities.limiting import Limiting
from activities.proposing import Proposing
from activities.recording import Recorder
from activities.reviewing import Reviewing
from activities.telling import Telling
from activities.trust import Trust, Trusted
from activities.verifying import Verifying
from playbooks.action import Controls
from playbooks.model import Playbook
from playbooks.registry import AnyAction
from recoup.domain.calendar import Calendar
from recoup.domain.clock import Clock
from recoup.domain.ids import IdSource
from recoup.domain.limits import Limits
from recoup.domain.ports import (
    CampaignControl,
    ChangeViews,
    EvidenceStore,
    FactLog,
    FlagControl,
    Notifier,
    Pager,
    ReleaseControl,
    WebhookControl,
)


@dataclass(frozen=True)
class Ports:
    """Everything outside that the response needs."""

    log: FactLog
    changes: ChangeViews
    evidence: EvidenceStore
    clock: Clock
    ids: IdSource
    notifier: Notifier
    pager: Pager
    flags: FlagControl
    campaigns: CampaignControl
    webhooks: WebhookControl
    releases: ReleaseControl
    analyst: Analyst
    library: Mapping[str, Playbook]
    actions: Mapping[str, AnyAction]
    calendar: Calendar = field(default_factory=Calendar)
    limits: Limits = field(default_factory=Limits)

    @property
    def controls(self) -> Controls:
        """What actions may act upon."""
        return Controls(
            flags=self.flags,
            campaigns=self.campaigns,
            webhooks=self.webhooks,
            releases=self.releases,
        )


def join(ports: Ports) -> Sequence[Callable[..., Any]]:
    """Return every activity of the response."""
    recorder = Recorder(ports.log, ports.clock)
    hands = Hands(ports.actions, ports.controls)
    investigating = Investigating(recorder, ports.changes, ports.evidence, ports.analyst)
    limiting = Limiting(recorder, ports.limits)
    proposing = Proposing(
        recorder,
        ports.changes,
        hands,
        ports.ids,
        Lessons(ports.log),
        limiting,
        Trusted(Trust(ports.log, ports.library), ports.library, ports.calendar),
    )
    doing = Doing(recorder, hands, limiting)
    reviewing = Reviewing(recorder, hands, doing)
    verifying = Verifying(recorder, ports.evidence, ports.analyst)
    telling = Telling(recorder, ports.notifier, ports.pager)
    closing = Closing(recorder)
    return (
        investigating.investigate,
        proposing.propose,
        doing.apply_action,
        doing.settle_failure,
        doing.undo_action,
        doing.record_not_undone,
        reviewing.ask_vendor,
        reviewing.look_at_review,
        reviewing.end_review,
        verifying.start_verification,
        verifying.check_recovery,
        telling.tell,
        telling.remind,
        telling.escalate,
        telling.record_escalation,
        telling.end_page,
        closing.record_decision,
        closing.record_expiry,
        closing.record_false_positive,
        closing.close,
    )
