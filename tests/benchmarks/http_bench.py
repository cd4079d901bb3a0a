"""Ingest over HTTP: the real ``recoup api`` as a process, senders on kept connections."""

import http.client
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

from measuring import Pace, fresh_store, pace
from shop_events import bodies


def over_http(
    folder: Path, events: int, size: int, connections: int, rounds: int
) -> list[tuple[Pace, Pace]]:
    """Return the pace (over HTTP, in process) of each round, measured in turn."""
    command = [sys.executable, "-m", "recoup", "api", "--data", str(folder), "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        port = _port(server)
        pairs = []
        for number in range(rounds):
            sent = bodies(events, size, seed=100 + number, users=False)
            remote = pace(events, lambda sent=sent: _send_all(port, sent, connections))
            with fresh_store() as store:
                local = pace(events, lambda sent=sent: [store.ingest(b) for b in sent] and None)
            # The work over HTTP is done by another process, whose time is not known here.
            pairs.append((Pace(remote.clock), local))
        return pairs
    finally:
        server.terminate()
        server.wait(20)


def _port(server: subprocess.Popen[str]) -> int:
    """Return the port of the one line that says ready."""
    assert server.stdout is not None
    for line in server.stdout:
        if line.startswith("{") and "url" in (message := json.loads(line)):
            threading.Thread(target=server.stdout.read, daemon=True).start()
            return int(str(message["url"]).rsplit(":", 1)[1].strip("/"))
    raise RuntimeError("the api role did not start")


def _send_all(port: int, sent: list[bytes], connections: int) -> None:
    threads = [
        threading.Thread(target=_send, args=(port, sent[number::connections]))
        for number in range(connections)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _send(port: int, sent: list[bytes]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for body in sent:
        for _ in range(100):
            connection.request("POST", "/v1/events", body)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status in (200, 202):
                break
            time.sleep(0.02)
        else:
            raise RuntimeError(f"{answer.status} {text!r}")
    connection.close()
