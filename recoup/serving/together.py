"""``recoup serve``: every role and, if wanted, a Temporal dev server, on one data folder."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

from recoup.serving.supervisor import ChildSpec, FolderLock, Supervisor
from recoup.settings import Settings
from recoup.temporal import dev_server_command


def serve(settings: Settings, on_ready: Callable[[dict[str, Any]], None]) -> None:
    """Run until SIGTERM or Ctrl-C; ``on_ready`` gets the URL once everything is at work.

    Raises ConfigurationError when the folder is in use, or a role does not come up.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with FolderLock(settings.data_dir):
        asyncio.run(_serve(settings, on_ready))


async def _serve(settings: Settings, on_ready: Callable[[dict[str, Any]], None]) -> None:
    url: dict[str, Any] = {}

    def hear(message: dict[str, Any]) -> None:
        if message["ready"] == "api":
            url.update(message)
        elif message["ready"] == "all":
            on_ready({"url": url["url"]})

    supervisor = Supervisor(_children(settings), settings.data_dir / "logs", hear)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, supervisor.stopping.set)
    await supervisor.run()


def _children(settings: Settings) -> list[ChildSpec]:
    port = settings.port or free_port(settings.host)
    environment = {
        "RECOUP_DATA_DIR": str(settings.data_dir),
        "RECOUP_PORT": str(port),
        "RECOUP_PUBLIC_URL": settings.public_url or f"http://{settings.host}:{port}",
        "NO_PROXY": _without_proxy(),
        "no_proxy": _without_proxy(),
    }
    if settings.config_file:
        environment["RECOUP_CONFIG"] = str(settings.config_file)
    children = []
    if settings.temporal.embedded:
        temporal_port = free_port("127.0.0.1")
        environment["RECOUP_TEMPORAL__EMBEDDED"] = "false"
        environment["RECOUP_TEMPORAL__ADDRESS"] = f"127.0.0.1:{temporal_port}"
        command = dev_server_command(settings, temporal_port)
        children.append(ChildSpec("temporal", command, reports_ready=False))
    for role in ("api", "detect", "work"):
        command = [sys.executable, "-m", "recoup", role]
        children.append(ChildSpec(role, command, environment))
    return children


def _without_proxy() -> str:
    present = os.environ.get("NO_PROXY", os.environ.get("no_proxy", ""))
    return ",".join(part for part in (present, "127.0.0.1", "localhost") if part)


def free_port(host: str) -> int:
    """Return a port that was free a moment ago."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port
