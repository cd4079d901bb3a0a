"""The roles, each a process: ``api`` takes in and shows, ``detect`` watches, ``work`` acts."""

import asyncio
import contextlib
import gc
import json
import signal
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any

import structlog
import uvicorn

from recoup.app import build
from recoup.domain.errors import ConfigurationError
from recoup.observability import set_up_logging
from recoup.settings import Settings

GRACE_S = 3
GARBAGE_EVERY = 100_000
"""After so many objects more the detect role looks for cycles, of which it makes none."""

_log = structlog.get_logger()


def say_ready(name: str, **details: Any) -> None:
    """Tell the supervisor (or whoever reads standard output) that this role is at work."""
    sys.stdout.write(json.dumps({"ready": name, **details}) + "\n")
    sys.stdout.flush()


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 takes a free one. Raises ConfigurationError if taken."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"cannot listen on {host}:{port} ({error.strerror}); choose another --port, 0 for any"
        ) from error
    listener.listen(512)
    return listener


def run_api(settings: Settings) -> None:
    """Serve HTTP until SIGTERM or Ctrl-C."""
    from recoup.serving.web_role import make_web

    set_up_logging(settings)
    listener = bind(settings.host, settings.port)
    port = listener.getsockname()[1]
    url = settings.public_url or f"http://{settings.host}:{port}"
    settings = settings.model_copy(update={"port": port, "public_url": url})
    app = build(settings)
    try:
        server = _Announcing(
            uvicorn.Config(
                make_web(app),
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=GRACE_S,
                lifespan="on",
            ),
            lambda: say_ready("api", url=url),
        )
        server.run(sockets=[listener])
    finally:
        app.store.close()


class _Announcing(uvicorn.Server):
    """A uvicorn server that says when it is up."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._announce()


def run_detect(settings: Settings) -> None:
    """Follow the log and detect until SIGTERM or Ctrl-C."""
    from recoup.watch import Watch

    set_up_logging(settings)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    app = build(settings)
    try:
        say_ready("detect")
        gc.set_threshold(GARBAGE_EVERY)
        Watch(app, stop).run()
    finally:
        app.store.close()


def run_work(settings: Settings) -> None:
    """Run workflows and activities, and start a workflow for each incident, until told to stop."""
    set_up_logging(settings)
    asyncio.run(_work(settings))


async def _work(settings: Settings) -> None:
    from recoup.dispatch import run_dispatcher
    from recoup.following import run_followers
    from recoup.scheduling import keep_schedule
    from recoup.temporal import connect
    from recoup.worker import run_worker

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, stop.set)
    app = build(settings)
    try:
        client = await connect(settings)
        await keep_schedule(client, settings, app.digests.ways)
        say_ready("work")
        async with asyncio.TaskGroup() as group:
            group.create_task(run_worker(app, client, stop))
            group.create_task(run_dispatcher(app, client, stop))
            group.create_task(run_followers(app, stop))
    finally:
        app.store.close()
