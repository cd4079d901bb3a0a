"""Plays the case: history, a sale, a break behind a flag, and the way back."""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import zstandard

from recoup.demo.changes import decoy_of, innocent, sale_of
from recoup.demo.endings import Evening, Pressed
from recoup.demo.shop import Fault, Shop, history_start
from recoup.demo.standins.ads import AdsStandIn
from recoup.demo.standins.launchdarkly import LaunchDarklyStandIn
from recoup.demo.standins.running import Running
from recoup.demo.standins.slack import SlackStandIn
from recoup.domain.changes import Change
from recoup.domain.clock import PacedClock, SystemClock
from recoup.domain.errors import ConfigurationError
from recoup.serving.supervisor import die_with_parent

FLAG, PROJECT, ENVIRONMENT = "payment-widget-v2", "shop", "production"
DECOY = "payment-widget-v2-preload"
"""A flag that looks guiltier than the widget and does nothing; for the ending ``wrong_first``."""
EVENING = datetime(2026, 11, 27, 18, 0, tzinfo=UTC)
HISTORY_DAYS = 7.0
BATCH = 5000
STEP_S = 0.25
CALM = timedelta(minutes=5)
READY_WITHIN_S = 60
Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """How the case is to be played."""

    seed: int = 1
    pace: float = 20.0
    ending: str = "ask"
    """One of ``recoup.demo.endings``, or ``no_incident``."""


@dataclass
class Outcome:
    """What became of it; times are moments of the shop."""

    incident: dict[str, Any] | None = None
    broken_at: datetime | None = None
    wall_s: dict[str, float] = field(default_factory=dict)
    flag_is_on: bool = True


class Play:
    """One demo: the stand-ins, Recoup as child processes, and the shop's traffic."""

    def __init__(self, plan: Plan, data: Path, say: Say) -> None:
        self.plan, self.data, self.say = plan, data, say
        self.url = self.slack_url = ""
        self.secret = secrets.token_hex(16)
        self.clock = PacedClock(EVENING, SystemClock().now().timestamp(), plan.pace)
        self.slack = SlackStandIn(self.secret)
        self.flags = LaunchDarklyStandIn(PROJECT, ENVIRONMENT, self.secret, self.clock.now)
        self.flags.add(FLAG, on=False)
        self.flags.add(DECOY, on=True)
        drop = 0.18 + 0.27 * ((plan.seed * 0.6180339887) % 1.0)
        start = history_start(EVENING, HISTORY_DAYS)
        self.shop = Shop(
            plan.seed,
            int(start.timestamp() * 1000),
            int((EVENING - timedelta(minutes=15)).timestamp() * 1000),
            fault=Fault(drop=drop),
        )
        self._stop = threading.Event()
        self._sdk: Any = None
        self.flags_url = ""
        self._http = httpx.Client(trust_env=False, timeout=30)

    @contextmanager
    def running(self) -> Iterator["Play"]:
        """Start everything; end everything on leaving, whatever happens."""
        with ExitStack() as stack:
            launchdarkly = stack.enter_context(Running(self.flags.app))
            slack = stack.enter_context(Running(self.slack.app))
            ads = stack.enter_context(Running(AdsStandIn({"ig_sale": "Sale evening"}).app))
            stack.callback(self._stop.set)
            self.slack_url = self.slack.own_url = slack.url
            self.say("Starting Recoup (api, detect, work, Temporal) ...")
            stack.enter_context(self._serving(launchdarkly.url, slack.url, ads.url))
            self.slack.recoup_url = self.url
            self.flags.webhook_url = f"{self.url}/hooks/launchdarkly"
            self.flags_url = launchdarkly.url
            self._sdk = _sdk(launchdarkly.url)
            stack.callback(self._sdk.close)
            yield self

    @contextmanager
    def _serving(self, launchdarkly: str, slack: str, ads: str) -> Iterator[None]:
        command = [sys.executable, "-m", "recoup", "serve", "--data", str(self.data), "--port", "0"]
        process = subprocess.Popen(  # noqa: S603 - our own command, no shell
            command,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=die_with_parent,
            env={**os.environ, **self._environment(launchdarkly, slack, ads)},
        )
        try:
            assert process.stdout is not None
            self.url = process.stdout.readline().strip()
            if not self.url:
                raise ConfigurationError(f"recoup serve did not come up; see {self.data}/logs")
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()

    def _environment(self, launchdarkly: str, slack: str, ads: str) -> dict[str, str]:
        automatic = {}
        if self.plan.ending == "automatic":
            automatic["RECOUP_RESPONSE__PLAYBOOK_DIR"] = str(_automatic_playbooks(self.data))
        return {
            **automatic,
            "RECOUP_CLOCK__PACE": str(self.plan.pace),
            "RECOUP_CLOCK__ORIGIN": self.clock.origin.isoformat(),
            "RECOUP_CLOCK__WALL_ORIGIN": repr(self.clock.wall_origin),
            "RECOUP_DETECT__GRACE_S": "15",
            "RECOUP_RESPONSE__SETTLE_S": "90",
            "RECOUP_LAUNCHDARKLY_BASE_URI": launchdarkly,
            "RECOUP_LAUNCHDARKLY_API_TOKEN": "api-demo",
            "RECOUP_LAUNCHDARKLY_PROJECT": PROJECT,
            "RECOUP_LAUNCHDARKLY_ENVIRONMENT": ENVIRONMENT,
            "RECOUP_LAUNCHDARKLY_WEBHOOK_SECRET": self.secret,
            "RECOUP_META_ADS_BASE_URL": ads,
            "RECOUP_META_ADS_ACCESS_TOKEN": "demo",
            "RECOUP_SLACK_BASE_URL": f"{slack}/api/",
            "RECOUP_SLACK_BOT_TOKEN": "xoxb-demo",
            "RECOUP_SLACK_SIGNING_SECRET": self.secret,
            "RECOUP_SLACK_CHANNEL": "C_INCIDENTS",
            "RECOUP_SLACK_PEOPLE": '{"U_ANNA": ["responder", "approver"], "U_VIEW": ["viewer"]}',
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }

    # The story

    def load_history(self, progress: Callable[[float], None]) -> int:
        """Send the week before through the same ingest path; return how many events it was."""
        start, total = history_start(EVENING, HISTORY_DAYS), 0
        moment = start
        pending: list[bytes] = []
        while moment < self.clock.now() - timedelta(seconds=10):
            behind = self.clock.now() - moment
            moment += min(timedelta(minutes=30), behind)
            pending += self.shop.until(moment)
            if len(pending) >= BATCH:
                total += self._send(pending)
                pending = []
            progress(min(1.0, (moment - start) / (EVENING - start)))
        return total + self._send(pending)

    def wait_for_detector(self, progress: Callable[[int], None]) -> None:
        """Send live traffic from now on, and wait until the detector has read the history."""
        threading.Thread(target=self._live, daemon=True).start()
        while (lag := self.lag()) > 3000:
            progress(lag)
            time.sleep(0.5)

    def lag(self) -> int:
        """Return how many events the detector has not seen yet."""
        return int(self._http.get(f"{self.url}/readyz").json()["detector_lag_events"])

    def _live(self) -> None:
        self.shop.flag = self._flag_for
        unsent: list[bytes] = []
        while not self._stop.is_set():
            unsent += self.shop.until(self.clock.now())
            # What was not acknowledged is sent again, as every sender should; repeats do not count.
            with contextlib.suppress(httpx.HTTPError):
                self._send(unsent)
                unsent = []
            self._stop.wait(STEP_S)

    def _flag_for(self, dims: dict[str, str]) -> bool:
        """Ask LaunchDarkly's SDK, as the shop's payment step does."""
        from ldclient import Context

        builder = Context.builder("shopper")
        for name, value in dims.items():
            builder.set(name, value)
        return bool(self._sdk.variation(FLAG, builder.build(), False))

    def _send(self, lines: list[bytes]) -> int:
        if not lines:
            return 0
        body = zstandard.ZstdCompressor(level=1).compress(b"\n".join(lines))
        headers = {"Content-Encoding": "zstd", "Content-Type": "application/x-ndjson"}
        with httpx.Client(trust_env=False, timeout=60) as client:
            answer = client.post(f"{self.url}/v1/events", content=body, headers=headers)
        answer.raise_for_status()
        return int(answer.json()["accepted"])

    def record(self, changes: list[Change]) -> None:
        """Tell Recoup of changes, as CI would."""
        for change in changes:
            answer = self._http.post(
                f"{self.url}/v1/changes",
                content=change.model_dump_json(),
                headers={"Content-Type": "application/json"},
            )
            answer.raise_for_status()

    def calm(self) -> None:
        """Record the changes of a normal evening and let some time pass."""
        now = self.clock.now()
        self.record([sale_of(EVENING - timedelta(minutes=15))])
        self.record(innocent(self.plan.seed, now + CALM, now, later=False))
        self.sleep(CALM)

    def turn_widget_on(self) -> datetime:
        """Somebody switches the new payment widget on; LaunchDarkly's webhook tells Recoup."""
        at = self.clock.now()
        body = {"key": FLAG, "on": True, "by": "checkout-team@shop.example"}
        self._http.post(f"{self.flags_url}/_control/flip", json=body).raise_for_status()
        if self.plan.ending == "wrong_first":
            self.record([decoy_of(at, DECOY, PROJECT, ENVIRONMENT)])
        self.record(innocent(self.plan.seed, at, at, later=True))
        return at

    def turn_widget_off(self) -> None:
        """Somebody mends it by hand."""
        body = {"key": FLAG, "on": False, "by": "checkout-team@shop.example"}
        self._http.post(f"{self.flags_url}/_control/flip", json=body).raise_for_status()

    def sleep(self, shop_time: timedelta) -> None:
        """Wait for a length of shop time."""
        time.sleep(shop_time.total_seconds() / self.plan.pace)

    def incidents(self) -> list[dict[str, Any]]:
        """Return the incidents, the latest first."""
        found: list[dict[str, Any]] = self._http.get(f"{self.url}/v1/incidents").json()
        return [incident for incident in found if incident["kind"] == "business"]

    def facts(self, incident_id: str) -> list[dict[str, Any]]:
        """Return the facts of an incident, in order."""
        found: dict[str, Any] = self._http.get(f"{self.url}/v1/incidents/{incident_id}").json()
        return list(found["facts"])

    def press(self, pressed: Pressed, incident: dict[str, Any]) -> bool:
        """Do what a person does; by the signed route of Slack, or on the page."""
        if pressed.mends_by_hand:
            self.turn_widget_off()
        if pressed.button == "other_playbook":
            return self._decide(pressed, incident)
        answer = self._http.post(
            f"{self.slack_url}/_control/click",
            json={"action_id": pressed.button, "user": "U_ANNA", "reason": "said by the demo"},
        )
        return answer.is_success

    def _decide(self, pressed: Pressed, incident: dict[str, Any]) -> bool:
        proposal = incident["proposal"]
        wanted = {
            "verdict": pressed.button,
            "playbook": pressed.playbook,
            "proposal_id": proposal["proposal_id"],
            "proposal_version": proposal["version"],
            "nonce": proposal["nonce"],
        }
        answer = self._http.post(f"{self.url}/v1/incidents/{incident['id']}/decision", json=wanted)
        return answer.is_success and bool(answer.json()["accepted"])

    def evening(self, incident: dict[str, Any]) -> Evening:
        """Return what there is to see of an incident now."""
        facts = self.facts(incident["id"]) if incident else []
        return Evening(incident, facts, self.flags.is_on(FLAG), self.flags.is_on(DECOY))


def _automatic_playbooks(data: Path) -> Path:
    """Return a folder with the shipped rollback of flags, allowed to run without being asked."""
    folder = data / "playbooks"
    folder.mkdir(exist_ok=True)
    text = (files("playbooks") / "library" / "flag_rollback.yaml").read_text()
    own = text.replace("  quorum: 1\n", "  quorum: 1\n  automatic: true\n")
    (folder / "flag_rollback.yaml").write_text(own)
    return folder


def _sdk(url: str) -> Any:
    from ldclient import LDClient
    from ldclient.config import Config

    config = Config(
        "sdk-demo",
        base_uri=url,
        stream_uri=url,
        events_uri=url,
        initial_reconnect_delay=0.1,
        diagnostic_opt_out=True,
    )
    return LDClient(config, start_wait=10)
