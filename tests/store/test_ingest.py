"""What ingest does with late, early, out-of-order and bad events, and what it counts."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from recoup.domain.clock import FixedClock
from recoup.domain.series import LineProblem
from recoup.settings import DetectSettings
from store.opening import Store

HOUR = 3600.0


def test_bad_lines_are_answered_one_by_one_and_the_good_ones_kept(store: Store, event: Any) -> None:
    report = store.ingest(b"\n".join([event(1), b"{", event(2, session=""), b"", event(3)]))
    assert report.accepted == 2
    assert [(p.line, p.field) for p in report.rejected] == [(2, ""), (3, "session")]
    assert store.stats().rejected == 2


def test_a_body_without_any_good_line_is_counted_and_stores_nothing(store: Store) -> None:
    report = store.ingest(b"nonsense\nmore nonsense")
    assert (report.accepted, len(report.rejected), report.last_position) == (0, 2, 0)
    stats = store.stats()
    assert (stats.rejected, stats.blocks, stats.last_position) == (2, 0, 0)


def test_the_future_is_refused_a_little_early_is_counted(
    store: Store, event: Any, clock: FixedClock
) -> None:
    early, future = event(1, at=HOUR + 60), event(2, at=HOUR + 601)
    report = store.ingest(early + b"\n" + future)
    assert report.accepted == 1
    assert report.rejected == (
        LineProblem(2, "time", "more than 10 minutes ahead of the clock here"),
    )
    assert store.stats().early == 1
    clock.advance(60)
    assert store.ingest(future).accepted == 1


def test_late_events_are_kept_as_they_are_and_counted(store: Store, event: Any) -> None:
    store.ingest(event(1, at=-23 * HOUR - 1) + b"\n" + event(2))
    stats = store.stats()
    assert (stats.events, stats.late) == (2, 1)
    assert stats.first_time == datetime(2026, 3, 1, 11, 59, 59, tzinfo=UTC)
    assert stats.last_time == stats.first_time + timedelta(hours=23, seconds=1)


def test_the_log_keeps_the_order_of_arrival(store: Store, event: Any) -> None:
    store.ingest(b"\n".join([event(1, at=100), event(2, at=-100), event(3)]))
    [block] = store.read(0)
    assert [json.loads(line)["id"] for line in block.data.splitlines()] == ["e1", "e2", "e3"]


def test_unknown_types_and_dims_are_kept(store: Store, event: Any) -> None:
    store.ingest(event(1, type="wishlist_shared", dims={"mood": "good"}))
    [block] = store.read(0)
    kept = json.loads(block.data)
    assert (kept["type"], kept["dims"]) == ("wishlist_shared", {"mood": "good"})


def test_only_the_props_that_were_asked_for_are_kept(url: str, opening: Any, event: Any) -> None:
    store = opening(url, kept_props={"page_viewed": ("path",)})
    store.ingest(event(1, props={"path": "/", "email": "a@b"}))
    store.ingest(event(2, type="other", props={"email": "a@b"}))
    lines = b"".join(block.data for block in store.read(0)).splitlines()
    assert [json.loads(line)["props"] for line in lines] == [{"path": "/"}, {"email": "a@b"}]


def test_a_runaway_dimension_is_reported(store: Store, event: Any, url: str, opening: Any) -> None:
    body = b"\n".join(event(number, dims={"visit": f"v{number}"}) for number in range(1200))
    store.ingest(body)
    assert store.stats().runaway_dimensions == {"visit": 1200}
    again = opening(url)
    again.ingest(b"\n".join(event(f"x{n}", dims={"visit": f"w{n}"}) for n in range(700)))
    assert again.stats().runaway_dimensions == {"visit": 1200}


def test_what_is_reported_as_runaway_is_what_the_detector_folds(store: Store) -> None:
    assert store.ingestor.runaway_values == DetectSettings().max_values_per_dimension


def test_bytes_per_event_stay_small(store: Store, event: Any) -> None:
    store.ingest(b"\n".join(event(number, at=number / 10) for number in range(3000)))
    stats = store.stats()
    assert 8 < stats.bytes_per_event < 40
    assert (stats.events, stats.blocks) == (3000, 1)
