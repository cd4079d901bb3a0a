"""The simulated shop: sessions as state machines, in shop time, seeded.

The payment step asks whatever flag service it is given; in live traffic that is LaunchDarkly's SDK.
"""

import heapq
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec

from recoup.domain.base import from_ms, to_ms

DAY_MS = 86_400_000
FUNNEL: tuple[tuple[str, float, float], ...] = (
    ("product_viewed", 0.78, 15),
    ("product_added", 0.5, 35),
    ("checkout_started", 0.68, 30),
    ("payment_attempted", 0.9, 35),
    ("order_completed", 0.93, 8),
)
"""Each step with its probability and the median of its lag in seconds."""
SYSTEMS = (
    ("iOS 16", "mobile", 0.34),
    ("iOS 17", "mobile", 0.1),
    ("iOS 18", "mobile", 0.1),
    ("Android 14", "mobile", 0.22),
    ("Windows 11", "desktop", 0.16),
    ("macOS 14", "desktop", 0.08),
)
BROWSERS = {
    "iOS": (("Safari", 0.72), ("Chrome", 0.28)),
    "Android": (("Chrome", 0.8), ("Firefox", 0.2)),
    "Windows": (("Chrome", 0.6), ("Edge", 0.3), ("Firefox", 0.1)),
    "macOS": (("Safari", 0.6), ("Chrome", 0.4)),
}
COUNTRIES = (("DE", 0.4), ("FR", 0.25), ("SE", 0.15), ("GB", 0.2))
CATEGORIES = (("shoes", 0.4), ("dresses", 0.35), ("bags", 0.25))
PROVIDERS = (("stripe", 0.6), ("adyen", 0.4))
CAMPAIGNS = {"none": 0.48, "google": 0.24, "newsletter": 0.16, "ig_sale": 0.12}
SALE_CAMPAIGNS = {"none": 0.2, "google": 0.11, "newsletter": 0.09, "ig_sale": 0.6}
STALE_ERRORS = 0.01

Flag = Callable[[dict[str, str]], bool]


@dataclass(frozen=True)
class Fault:
    """What the new payment widget does to those it breaks for."""

    campaign: str = "ig_sale"
    os: str = "iOS 16"
    browser: str = "Safari"
    drop: float = 0.3

    def hits(self, dims: dict[str, str]) -> bool:
        """Tell whether a session is one of those the widget breaks for."""
        return all(dims[name] == getattr(self, name) for name in ("campaign", "os", "browser"))


@dataclass
class Visit:
    """One session on its way through the funnel."""

    key: str
    dims: dict[str, str]
    step: int = 0
    sent: int = 0
    value: float = 0.0
    broken: bool = False


@dataclass
class Shop:
    """Makes events in order of time; ``until`` moves it on."""

    seed: int
    now_ms: int
    sale_from_ms: int
    sale_factor: float = 30.0
    base_rate: float = 0.2
    """Sessions a second, averaged over a week, without a sale."""
    fault: Fault = field(default_factory=Fault)
    flag: Flag = lambda _dims: False
    _queue: list[tuple[int, int, Visit, str, dict[str, Any]]] = field(default_factory=list)
    _count: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - a simulation, not a secret
        self._next_arrival = float(self.now_ms)

    def until(self, moment: datetime) -> list[bytes]:
        """Return the events from where the shop stood until a moment, as JSON lines, in order."""
        end = to_ms(moment)
        while self._next_arrival < end:
            at = int(self._next_arrival)
            self._next_arrival += self._random.expovariate(1.0) * 1000 / self._rate(at)
            self._push(at, self._arrive(at), "page_viewed", {})
        lines = []
        while self._queue and self._queue[0][0] < end:
            at, _, visit, kind, props = heapq.heappop(self._queue)
            lines.append(self._emit(at, visit, kind, props))
            self._go_on(at, visit, kind)
        self.now_ms = end
        return lines

    def _rate(self, at: int) -> float:
        hour = (at % DAY_MS) / DAY_MS * 24
        daily = 1.0 + 0.65 * math.sin((hour - 11.5) / 24 * 2 * math.pi)
        weekday = (at // DAY_MS + 3) % 7
        weekly = 1.2 if weekday >= 5 else 1.0
        wobble = 1.0 + 0.06 * math.sin(at / DAY_MS * 2.3 + self.seed)
        ramp = min(1.0, max(0.0, (at - self.sale_from_ms) / 600_000))
        return self.base_rate * daily * weekly * wobble * (1.0 + (self.sale_factor - 1.0) * ramp)

    def _arrive(self, at: int) -> Visit:
        draw = self._random
        system, device, _ = draw.choices(SYSTEMS, [share for *_, share in SYSTEMS])[0]
        running = at >= self.sale_from_ms
        campaigns = SALE_CAMPAIGNS if running else CAMPAIGNS
        dims = {
            "device": device,
            "os": system,
            "browser": self._pick(BROWSERS[system.split()[0]]),
            "country": self._pick(COUNTRIES),
            "campaign": self._pick(tuple(campaigns.items())),
            "category": self._pick(CATEGORIES),
            "provider": self._pick(PROVIDERS),
            "release": "2026.47",
        }
        self._count += 1
        return Visit(
            f"s{self.seed}-{self._count}", dims, value=round(draw.lognormvariate(4.2, 0.4), 2)
        )

    def _pick(self, choices: tuple[tuple[str, float], ...]) -> str:
        return self._random.choices([c[0] for c in choices], [c[1] for c in choices])[0]

    def _push(self, at: int, visit: Visit, kind: str, props: dict[str, Any]) -> None:
        self._count += 1
        heapq.heappush(self._queue, (at, self._count, visit, kind, props))

    def _emit(self, at: int, visit: Visit, kind: str, props: dict[str, Any]) -> bytes:
        visit.sent += 1
        return msgspec.json.encode(
            {
                "id": f"{visit.key}-{visit.sent}",
                "type": kind,
                "time": from_ms(at),
                "session": visit.key,
                "dims": visit.dims,
                "props": props,
            }
        )

    def _go_on(self, at: int, visit: Visit, kind: str) -> None:
        """Decide what the session does after an event."""
        draw = self._random
        if kind in ("script_error", "payment_failed", "api_timed") or visit.step >= len(FUNNEL):
            return
        if draw.random() < STALE_ERRORS:
            self._push(at + 900, visit, "script_error", {"file": "vendor.js", "message": "null"})
        name, chance, lag_s = FUNNEL[visit.step]
        if name == "payment_attempted":
            visit.broken = self.flag(visit.dims) and self.fault.hits(visit.dims)
            if visit.broken and draw.random() < self.fault.drop:
                self._break(at, visit)
                return
        if name == "order_completed":
            ms = draw.lognormvariate(5.6, 0.4)
            self._push(at + 200, visit, "api_timed", {"endpoint": "/pay", "ms": round(ms)})
        if draw.random() >= chance:
            if name == "order_completed":
                self._push(at + 3000, visit, "payment_failed", {"reason": "card_declined"})
            return
        visit.step += 1
        after = int(draw.lognormvariate(math.log(lag_s * 1000), 0.6))
        props = {"value": visit.value, "currency": "EUR"} if name == "order_completed" else {}
        self._push(at + after, visit, name, props)

    def _break(self, at: int, visit: Visit) -> None:
        """The widget does not come up: an error, sometimes a time-out, and no order."""
        draw = self._random
        if draw.random() < 0.5:
            error = {"file": "payment-widget-v2.js", "message": "mount is not a function"}
            self._push(at + 1500, visit, "script_error", error)
        else:
            self._push(at + 8000, visit, "payment_failed", {"reason": "widget_timeout"})
        visit.step = len(FUNNEL)


def history_start(end: datetime, days: float) -> datetime:
    """Return when a history of so many days begins."""
    return end - timedelta(days=days)
