"""Group commit: requests that wait together are made durable together, by one thread."""

import queue
import threading
from concurrent.futures import Future

from recoup.domain.errors import RecoupError, StorageUnavailable
from recoup.domain.series import IngestReport
from store.decoding import Decoded
from store.ingest import Ingestor

MAX_GROUP_EVENTS = 5_000
MAX_WAITING = 4_096
_Item = tuple[bytes, "Future[IngestReport]"]


class Appender:
    """Takes bodies from any thread; a future is done once its events are durable, or refused."""

    def __init__(self, ingestor: Ingestor) -> None:
        self._ingestor = ingestor
        self._waiting: queue.Queue[_Item | None] = queue.Queue(MAX_WAITING)
        self._thread = threading.Thread(target=self._run, name="recoup-appender", daemon=True)
        self._closing = threading.Lock()
        self._closed = False

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def submit(self, body: bytes) -> "Future[IngestReport]":
        """Queue a body. Raises StorageUnavailable when too many wait, or after ``close``."""
        future: Future[IngestReport] = Future()
        with self._closing:
            if self._closed:
                raise StorageUnavailable("this process is stopping")
            try:
                self._waiting.put_nowait((body, future))
            except queue.Full:
                raise StorageUnavailable("too many requests wait for the disk") from None
        return future

    def close(self) -> None:
        """Finish what waits and end the thread."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
        if self._thread.ident is not None:
            self._waiting.put(None)
            self._thread.join()

    def _run(self) -> None:
        while (item := self._waiting.get()) is not None:
            group, is_last = self._gather(item)
            self._commit(group)
            if is_last:
                return

    def _gather(self, first: _Item) -> tuple[list[tuple["Future[IngestReport]", Decoded]], bool]:
        """Decode what waits, up to a block's worth."""
        group: list[tuple[Future[IngestReport], Decoded]] = []
        events = 0
        item: _Item | None = first
        while item is not None:
            body, future = item
            if future.set_running_or_notify_cancel():
                try:
                    decoded = self._ingestor.decoder.decode(body)
                except Exception as error:  # noqa: BLE001 - whoever waits gets every failure
                    future.set_exception(error)
                else:
                    group.append((future, decoded))
                    events += len(decoded.events)
            if events >= MAX_GROUP_EVENTS:
                return group, False
            try:
                item = self._waiting.get_nowait()
            except queue.Empty:
                return group, False
        return group, True

    def _commit(self, group: list[tuple["Future[IngestReport]", Decoded]]) -> None:
        if not group:
            return
        try:
            reports = self._ingestor.append([decoded for _, decoded in group])
        except Exception as error:  # noqa: BLE001 - whoever waits gets every failure
            failure = error if isinstance(error, RecoupError) else StorageUnavailable(repr(error))
            for future, _ in group:
                future.set_exception(failure)
            return
        for (future, _), report in zip(group, reports, strict=True):
            future.set_result(report)
