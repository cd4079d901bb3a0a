"""Events to measure with, about 350 bytes each.

``simulated`` is a shop of the test world: 40,000 sessions a day, 10 dims, three events of four name
a person. ``unrelated`` is the worst case for a detector: 9 dims independent of each other, so
that nearly every session brings a combination that was never seen; nobody is named in it.
"""

import gzip
import json
import random
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

GAP_MS = 72
"""1.2 million events a day."""
START = datetime(2026, 3, 1, tzinfo=UTC)
DIMS = {
    "device": ["mobile", "desktop", "tablet"],
    "os": [f"os {n}" for n in range(12)],
    "browser": [f"browser {n}" for n in range(8)],
    "country": [f"country {n}" for n in range(25)],
    "campaign": [f"campaign {n}" for n in range(20)],
    "category": [f"category {n}" for n in range(15)],
    "provider": ["card", "wallet", "invoice", "bank"],
    "release": [f"4.{n}" for n in range(5)],
    "region": [f"region {n}" for n in range(10)],
}
FUNNEL = (
    "page_viewed",
    "product_viewed",
    "product_added",
    "checkout_started",
    "payment_attempted",
    "order_completed",
)


def bodies(events: int, size: int, *, seed: int = 1, users: bool = False) -> list[bytes]:
    """Return ``events`` events as NDJSON bodies of ``size`` events, in order of time.

    With ``users`` every session is a person never seen.
    """
    return in_bodies(list(_lines(events, random.Random(seed), users)), size)


@lru_cache(maxsize=1)
def simulated(events: int) -> tuple[list[bytes], list[bytes]]:
    """Return 58 hours of a quiet shop to learn from, and the events from ten in the morning on."""
    from recoup.demo.world.generating import EVENTS, generate

    with tempfile.TemporaryDirectory(prefix="recoup-bench-") as folder:
        generate(5, "none", Path(folder), days=3, sessions_per_day=40_000)
        lines = gzip.decompress((Path(folder) / EVENTS).read_bytes()).splitlines()
    learned = _first_after(lines, timedelta(hours=58))
    assert len(lines) >= learned + events
    return lines[:learned], lines[learned : learned + events]


@lru_cache(maxsize=1)
def unrelated(events: int) -> tuple[list[bytes], list[bytes]]:
    """Return ten hours and a little to learn from, and the events that follow."""
    learned = int(10.2 * 3600 * 1000 / GAP_MS)
    lines = list(_lines(learned + events, random.Random(1), users=False))
    return lines[:learned], lines[learned:]


def _first_after(lines: list[bytes], age: timedelta) -> int:
    """Return the place of the first event that much later than the very first one."""
    until = datetime.fromisoformat(json.loads(lines[0])["time"]) + age
    low, high = 0, len(lines)
    while low < high:
        middle = (low + high) // 2
        is_before = datetime.fromisoformat(json.loads(lines[middle])["time"]) < until
        low, high = (middle + 1, high) if is_before else (low, middle)
    return low


def in_bodies(lines: list[bytes], size: int) -> list[bytes]:
    """Return lines as NDJSON bodies of ``size`` lines."""
    return [b"\n".join(lines[low : low + size]) for low in range(0, len(lines), size)]


def _lines(events: int, chance: random.Random, users: bool) -> Iterator[bytes]:
    weights = {name: [(n + 1) ** -1.1 for n in range(len(v))] for name, v in DIMS.items()}
    live: list[tuple[str, dict[str, str], int]] = []
    for number in range(events):
        if len(live) < 200 or chance.random() < 0.125:
            dims = {name: chance.choices(DIMS[name], weights[name])[0] for name in DIMS}
            live.append((f"s{chance.getrandbits(48):012x}", dims, 0))
        place = chance.randrange(len(live))
        session, dims, step = live[place]
        kind = FUNNEL[min(step, 5)]
        if step >= 7 or chance.random() < 0.12:
            live[place] = live[-1]
            live.pop()
        else:
            live[place] = (session, dims, step + 1)
        event = {
            "id": f"{chance.getrandbits(96):024x}",
            "type": kind,
            "time": _time(number),
            "session": session,
            "dims": dims,
            "props": {"value": round(20 + 80 * chance.random(), 2), "currency": "EUR"},
        }
        if users:
            event["user"] = f"customer-{session}"
        yield json.dumps(event, separators=(",", ":")).encode()


def _time(number: int) -> str:
    moment = START + timedelta(milliseconds=number * GAP_MS)
    return moment.isoformat(timespec="milliseconds")
