"""Stands between a client and a stand-in, and misbehaves on demand: resets, refusals, lost answers.

It speaks HTTP/1.1 on a free local port. A fault is used up by the first request it fits; without
one, requests and answers pass unchanged.
"""

import http.client
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
READS = frozenset({"GET", "HEAD"})
_NO_LINGER = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong with one request.

    ``reached`` tells whether the request takes effect before its answer is spoilt. Without a
    ``status`` the connection is reset; ``silent_s`` keeps it open without a word first.
    """

    status: int | None = None
    body: Any = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    reached: bool = False
    silent_s: float = 0.0
    methods: frozenset[str] = WRITES
    path: str = ""

    def fits(self, method: str, path: str) -> bool:
        """Tell whether it is meant for this request."""
        return method in self.methods and self.path in path


@dataclass(frozen=True)
class Seen:
    """A request as it arrived, and when (by the machine's monotonic clock)."""

    method: str
    path: str
    body: bytes
    at: float
    reached: bool


class Misbehaving:
    """A vendor with moods, up inside a ``with``; ``url`` takes the place of the vendor's own."""

    def __init__(self, upstream: str) -> None:
        self._upstream = urlsplit(upstream)
        self.faults: list[Fault] = []
        self.seen: list[Seen] = []
        self.before: Callable[[str, str], None] = lambda _method, _path: None
        """Called with method and path before a request is passed on."""
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.vendor = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    def __enter__(self) -> "Misbehaving":
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def writes(self, path: str = "") -> list[Seen]:
        """Return the writes that took effect at the vendor."""
        return [
            each
            for each in self.seen
            if each.reached and each.method in WRITES and path in each.path
        ]

    def take(self, method: str, path: str) -> Fault | None:
        """Return the next fault meant for a request, and use it up."""
        with self._lock:
            for fault in self.faults:
                if fault.fits(method, path):
                    self.faults.remove(fault)
                    return fault
        return None

    def forward(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """Pass a request on; return the vendor's answer."""
        self.before(method, path)
        assert self._upstream.hostname
        connection = http.client.HTTPConnection(
            self._upstream.hostname, self._upstream.port, timeout=30
        )
        try:
            connection.request(method, self._upstream.path + path, body or None, dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def note(self, method: str, path: str, body: bytes, reached: bool) -> None:
        """Keep what was asked."""
        with self._lock:
            self.seen.append(Seen(method, path, body, time.monotonic(), reached))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    vendor: Misbehaving


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def any(self) -> None:
        """Handle a request of whatever method."""
        vendor = self.server.vendor
        self.close_connection = True
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = vendor.take(self.command, self.path)
        reached = fault is None or fault.reached
        vendor.note(self.command, self.path, body, reached)
        passed = None
        if reached:
            headers = {
                name: value
                for name, value in self.headers.items()
                if name.lower() not in _HOP_BY_HOP
            }
            passed = vendor.forward(self.command, self.path, headers, body)
        if fault is not None:
            self._spoil(fault)
        elif passed is not None:
            self._answer(passed[0], passed[1], passed[2])

    def _spoil(self, fault: Fault) -> None:
        if fault.silent_s:
            time.sleep(fault.silent_s)
        if fault.status is None:
            # Closing without lingering sends a reset instead of an orderly end.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            self.connection.close()
            return
        headers = [("Content-Type", "application/json"), *fault.headers.items()]
        self._answer(fault.status, headers, json.dumps(fault.body).encode())

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


for _method in WRITES | READS:
    setattr(_Handler, f"do_{_method}", _Handler.any)
