"""Events to measure with: seeded, 9 dims, 2 props, about 350 bytes each, five to a session.

The worst case for a detector: dims are independent of each other, so that nearly every session
brings a combination that was never seen.
"""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache

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
def two_periods(before: int, events: int) -> tuple[list[bytes], list[bytes]]:
    """Return the lines of one shop: so many to learn from, and so many that come after."""
    lines = list(_lines(before + events, random.Random(1), users=False))
    return lines[:before], lines[before:]


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
