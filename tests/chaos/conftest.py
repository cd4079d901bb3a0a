"""Recoup's roles as processes that are killed, a recorded shop, and senders that retry."""

import base64
import http.client
import json
import os
import queue
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from recoup.settings import Settings, load

FUNNEL = ("page_viewed", "checkout_started", "order_completed")
START = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
HOURS = 10
BREAKS_AFTER_H = 8.0
"""From then on nobody on iOS 16 completes an order."""
READY_WITHIN_S = 300.0
"""Four processes start one after the other, perhaps on a machine that has other things to do."""


def recorded_shop(events: int, seed: int) -> list[bytes]:
    """Ten hours of a shop in order of time, as NDJSON lines; three to a session."""
    chance = random.Random(seed)
    sessions = events * 10 // 23
    found: list[tuple[float, bytes]] = []
    for number in range(sessions):
        at = HOURS * 3600 * number / sessions
        system = chance.choices(["iOS 16", "Android 14", "Windows"], [4, 4, 2])[0]
        dims = {"os": system, "browser": chance.choice(["Safari", "Chrome", "Firefox"])}
        broken = system == "iOS 16" and at > BREAKS_AFTER_H * 3600
        for kind, share in zip(FUNNEL, (1.0, 0.75, 0.0 if broken else 0.75), strict=True):
            if chance.random() >= share:
                break
            event = {
                "id": f"{chance.getrandbits(96):024x}",
                "type": kind,
                "time": (START + timedelta(seconds=at)).isoformat(timespec="milliseconds"),
                "session": f"s{number}",
                "user": f"customer-{number % 500}",
                "dims": dims,
                "props": {"value": round(20 + 80 * chance.random(), 2), "currency": "EUR"},
            }
            found.append((at, json.dumps(event).encode()))
            at += chance.uniform(5, 90)
    return [line for _, line in sorted(found)]


@dataclass
class Senders:
    """Threads that send bodies in order and repeat each until it is acknowledged."""

    port: int
    bodies: list[bytes]
    seed: int
    threads: int = 4
    acknowledged: int = 0
    accepted: int = 0
    failures: int = 0
    """Requests without an answer, or with one that asks to come again."""
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
        for number in range(len(self.bodies)):
            self._waiting.put(number)
        self._lock = threading.Lock()
        self._gate = threading.Semaphore(0)
        self._running = [
            threading.Thread(target=self._send, args=(number,), daemon=True)
            for number in range(self.threads)
        ]

    def start(self) -> None:
        for thread in self._running:
            thread.start()

    def allow(self, count: int) -> None:
        """Let the senders send so many more bodies."""
        for _ in range(count):
            self._gate.release()

    def finish(self, within_s: float) -> None:
        """Let them send the rest, and wait for it."""
        self.allow(len(self.bodies) + self.threads)
        deadline = time.monotonic() + within_s
        for thread in self._running:
            thread.join(max(0.0, deadline - time.monotonic()))
            assert not thread.is_alive(), f"{self.acknowledged} of {len(self.bodies)} bodies"

    def _send(self, number: int) -> None:
        chance = random.Random(self.seed * 100 + number)
        done: list[int] = []
        while True:
            self._gate.acquire()
            try:
                mine = self._waiting.get_nowait()
            except queue.Empty:
                return
            self._until_acknowledged(mine)
            done.append(mine)
            if chance.random() < 0.1:  # a sender that lost its memory sends again
                self._until_acknowledged(chance.choice(done))

    def _until_acknowledged(self, number: int) -> None:
        while True:
            try:
                status, answer = self._post(self.bodies[number])
            except (OSError, http.client.HTTPException):
                status, answer = 0, {}
            with self._lock:
                if status == 202:
                    self.acknowledged += 1
                    self.accepted += answer["accepted"]
                    lines = self.bodies[number].count(b"\n") + 1
                    if answer["accepted"] + answer["duplicates"] != lines:
                        self.problems.append(str(answer)[:300])
                    return
                if status not in (0, 503):
                    self.problems.append(f"{status} {answer}"[:300])
                    return
                self.failures += 1
            time.sleep(0.02)

    def _post(self, body: bytes) -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("POST", "/v1/events", body)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()


@dataclass
class Roles:
    """``recoup api`` and ``recoup detect`` (or ``recoup serve``) as processes of their own."""

    folder: Path
    environment: dict[str, str]
    port: int
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    ready: dict[str, threading.Event] = field(default_factory=dict)

    def start(self, role: str) -> None:
        """Start a role; ``ready[role]`` is set once it says that it is at work."""
        self.ready[role] = event = threading.Event()
        with (self.folder / f"{role}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "recoup", role],
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )
        self.running[role] = process
        threading.Thread(target=_listen, args=(process, event), daemon=True).start()

    def wait_ready(self, role: str) -> None:
        """Wait until a role is at work."""
        assert self.ready[role].wait(READY_WITHIN_S), self._log(role)
        assert self.running[role].poll() is None, self._log(role)

    def kill(self, role: str) -> None:
        """SIGKILL: no handler runs, nothing is flushed."""
        os.killpg(self.running[role].pid, signal.SIGKILL)
        self.running[role].wait(30)

    def stop(self) -> None:
        """SIGTERM to all, and wait."""
        for process in self.running.values():
            if process.poll() is None:
                process.terminate()
        for process in self.running.values():
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(30)

    def _log(self, role: str) -> str:
        return (self.folder / f"{role}.log").read_text()[-3000:]


def _listen(process: subprocess.Popen[bytes], ready: threading.Event) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if b'"ready"' in line or line.startswith(b"http"):
            ready.set()
    process.stdout.close()


@dataclass(frozen=True)
class Place:
    """Where a run keeps its things: settings for this process, environment for the others."""

    folder: Path
    settings: Settings
    roles: Roles

    def senders(self, bodies: int, lines_a_body: int, seed: int) -> Senders:
        """Return senders of a recorded shop, in bodies of so many lines."""
        lines = recorded_shop(bodies * lines_a_body, seed)
        parts = [lines[low : low + lines_a_body] for low in range(0, len(lines), lines_a_body)]
        return Senders(self.roles.port, [b"\n".join(part) for part in parts], seed)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Place]]:
    """Make the place for a database URL (empty for SQLite); its processes end with the test."""
    made: list[Place] = []

    def make(url: str) -> Place:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        environment = {
            "RECOUP_DATA_DIR": str(tmp_path / "data"),
            "RECOUP_DATABASE_URL": url,
            "RECOUP_PORT": str(port),
            "RECOUP_MASTER_KEY": base64.b64encode(b"k" * 32).decode(),
            "RECOUP_DETECT__FUNNEL": json.dumps(FUNNEL),
            "RECOUP_DETECT__WARM_UP_H": "5",
            "RECOUP_DETECT__SNAPSHOT_EVERY_S": "1",
            "RECOUP_LOG_FORMAT": "json",
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        (tmp_path / "data").mkdir()
        roles = Roles(tmp_path, environment, port)
        made.append(Place(tmp_path, load(), roles))
        return made[-1]

    yield make
    for one in made:
        one.roles.stop()
