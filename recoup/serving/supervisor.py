"""Runs the roles as child processes: starts them in order, restarts what dies, leaves none behind.

A child says that it is ready by one line of JSON on its standard output, ``{"ready": NAME, ...}``.
Its log goes to a file. A child that dies is started again after a pause that grows from try to try;
the log and Temporal hold the truth, so it goes on where it was.
"""

import asyncio
import contextlib
import ctypes
import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import structlog

from recoup.domain.errors import ConfigurationError

READY_WITHIN_S = 60.0
STOP_WITHIN_S = 10.0
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
_PR_SET_PDEATHSIG = 1

_log = structlog.get_logger()


@dataclass(frozen=True)
class ChildSpec:
    """What to run: a command, what to add to its environment, and whether it reports readiness."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    reports_ready: bool = True


def die_with_parent() -> None:
    """Ask the kernel to end this child when its parent is gone (Linux; elsewhere nothing)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class FolderLock:
    """Makes sure that one data folder is served by one supervisor.

    Raises ConfigurationError on entering when another process holds the folder.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "serve.lock"
        self._file: IO[str] | None = None

    def __enter__(self) -> "FolderLock":
        self._file = self.path.open("w")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise ConfigurationError(
                f"{self.path.parent} is already being served by another process; "
                "stop that one or choose another folder with --data"
            ) from error
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if self._file:
            self._file.close()


class Supervisor:
    """Keeps a set of children running until it is told to stop."""

    def __init__(
        self, specs: Sequence[ChildSpec], logs: Path, on_ready: Callable[[dict[str, Any]], None]
    ) -> None:
        self.specs = tuple(specs)
        self.logs = logs
        self.on_ready = on_ready
        self.stopping = asyncio.Event()
        self.processes: dict[str, asyncio.subprocess.Process] = {}

    async def run(self) -> None:
        """Start the children one after the other, then keep them; return once all have stopped."""
        self.logs.mkdir(parents=True, exist_ok=True)
        keepers = []
        try:
            for spec in self.specs:
                ready = asyncio.Event()
                keepers.append(asyncio.create_task(self._keep(spec, ready)))
                await self._wait_ready(spec, ready, keepers[-1])
                if self.stopping.is_set():
                    break
            else:
                self.on_ready({"ready": "all"})
            await self.stopping.wait()
        finally:
            self.stopping.set()
            await self._stop_all()
            for keeper in keepers:
                keeper.cancel()
            await asyncio.gather(*keepers, return_exceptions=True)

    async def _wait_ready(
        self, spec: ChildSpec, ready: asyncio.Event, keeper: "asyncio.Task[None]"
    ) -> None:
        waits = [asyncio.create_task(event.wait()) for event in (ready, self.stopping)]
        try:
            done, _ = await asyncio.wait(
                [*waits, keeper], timeout=READY_WITHIN_S, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            for wait in waits:
                wait.cancel()
        if not done:
            raise ConfigurationError(
                f"{spec.name} was not ready within {READY_WITHIN_S:.0f} s; see {self._log_of(spec)}"
            )
        if keeper in done:
            keeper.result()

    async def _keep(self, spec: ChildSpec, ready: asyncio.Event) -> None:
        pause = FIRST_PAUSE_S
        while not self.stopping.is_set():
            process = await self._start(spec)
            self.processes[spec.name] = process
            if not spec.reports_ready:
                ready.set()
            await self._follow(spec, process, ready)
            code = await process.wait()
            if self.stopping.is_set():
                return
            if not ready.is_set():
                raise ConfigurationError(
                    f"{spec.name} stopped with code {code} before it was ready; "
                    f"see {self._log_of(spec)}\n{self._last_lines(spec)}"
                )
            _log.warning("child.died", child=spec.name, code=code, restart_in_s=pause)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)

    async def _start(self, spec: ChildSpec) -> asyncio.subprocess.Process:
        with self._log_of(spec).open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *spec.command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **spec.environment},
                start_new_session=True,
                preexec_fn=die_with_parent,
            )

    async def _follow(
        self, spec: ChildSpec, process: asyncio.subprocess.Process, ready: asyncio.Event
    ) -> None:
        """Read the child's output until it ends; take its ready line, keep the rest in its log."""
        assert process.stdout is not None
        async for line in process.stdout:
            message = _ready_line(line)
            if message is None:
                with self._log_of(spec).open("ab") as log:
                    log.write(line)
                continue
            ready.set()
            self.on_ready(message)

    async def _stop_all(self) -> None:
        for spec in reversed(self.specs):
            process = self.processes.get(spec.name)
            if process is None or process.returncode is not None:
                continue
            _signal(process, signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), STOP_WITHIN_S)
            except TimeoutError:
                _log.warning("child.killed", child=spec.name, after_s=STOP_WITHIN_S)
                _signal(process, signal.SIGKILL)
                await process.wait()

    def _log_of(self, spec: ChildSpec) -> Path:
        return self.logs / f"{spec.name}.log"

    def _last_lines(self, spec: ChildSpec, count: int = 8) -> str:
        lines = self._log_of(spec).read_text(errors="replace").splitlines()
        return "\n".join(f"  {line}" for line in lines[-count:])


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _ready_line(line: bytes) -> dict[str, Any] | None:
    if not line.startswith(b'{"ready"'):
        return None
    try:
        message = json.loads(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None
