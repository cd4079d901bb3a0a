"""The Temporal worker: joins the application's ports to the activities, and runs the workflows."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.worker import Worker

from activities.analysis import Analyst, DetectorAnalyst
from activities.digesting import Digesting
from activities.guarding import GuardingInterceptor
from activities.joining import Ports, join
from activities.lessons import Lessons
from playbooks.loader import load_library
from playbooks.registry import shipped_actions
from recoup.app import App
from recoup.domain.calendar import Calendar
from recoup.settings import ResponseSettings
from workflows.digest import DigestWorkflow
from workflows.incident import IncidentWorkflow

GRACE = timedelta(seconds=3)
STICKY = timedelta(seconds=1)
"""After a worker's death the next one takes over this much later."""


def ports_of(app: App, analyst: Analyst | None = None) -> Ports:
    """Return the ports of the application as the activities need them.

    Raises PlaybookInvalid when a playbook of the configured folder cannot be used.
    """
    actions = shipped_actions()
    return Ports(
        log=app.store,
        changes=app.store.changes,
        evidence=app.store.evidence,
        clock=app.clock,
        ids=app.ids,
        notifier=app.notifier,
        pager=app.pager,
        flags=app.flags,
        campaigns=app.campaigns,
        webhooks=app.webhooks,
        releases=app.releases,
        analyst=analyst or DetectorAnalyst(Lessons(app.store)),
        library=load_library(app.settings.response.playbook_dir, actions),
        actions=actions,
        limits=app.settings.guard.limits(),
        calendar=calendar_of(app.settings.response),
    )


def calendar_of(response: ResponseSettings) -> Calendar:
    """Return the business calendar of the settings. Raises ConfigurationError."""
    return Calendar.read(
        response.office_hours, response.time_zone, response.holidays, response.automatic
    )


def make_worker(
    client: Client, task_queue: str, activities: Sequence[Callable[..., Any]]
) -> Worker:
    """Return a worker for the response; run it with ``async with``."""
    return Worker(
        client,
        task_queue=task_queue,
        workflows=[IncidentWorkflow, DigestWorkflow],
        activities=activities,
        interceptors=[GuardingInterceptor()],
        sticky_queue_schedule_to_start_timeout=STICKY,
        graceful_shutdown_timeout=GRACE,
    )


async def run_worker(app: App, client: Client, stop: asyncio.Event) -> None:
    """Run workflows and activities until ``stop`` is set."""
    activities = [*join(ports_of(app)), Digesting(app.digests).send_digest]
    async with make_worker(client, app.settings.temporal.task_queue, activities):
        await stop.wait()
