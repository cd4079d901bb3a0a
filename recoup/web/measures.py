"""What ``GET /metrics`` measures at the moment it is asked; counters count elsewhere."""

from collections import Counter

from integrations.histories import followed
from recoup.app import App
from recoup.domain.facts import IncidentKind
from recoup.following import FIRST_LOOK
from recoup.observability import Metrics

DETECTOR = "detector"
MOST_INCIDENTS = 1000


def lag(app: App) -> int:
    """Return how many positions of the log the detector has not seen."""
    return app.store.head() - app.store.checkpoint(DETECTOR)


class Measures:
    """Brings the gauges up to date."""

    def __init__(self, app: App, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._histories = [each.name for each in followed(app.settings)]

    def take(self) -> None:
        """Set every gauge to how things stand."""
        metrics, store = self._metrics, self._app.store
        metrics.lag.set(lag(self._app))
        metrics.log_position.set(store.head())
        self._take_incidents()
        now = self._app.clock.now()
        latest = store.changes.latest(now)
        metrics.last_change.set(latest.timestamp() if latest else 0)
        for name in self._histories:
            since = store.looked_until(name) or now - FIRST_LOOK
            metrics.history_age.labels(name).set((now - since).total_seconds())

    def _take_incidents(self) -> None:
        metrics = self._metrics
        incidents = self._app.store.incidents.list(open_only=True, limit=MOST_INCIDENTS)
        metrics.open_incidents.set(len(incidents))
        metrics.incidents.clear()
        counts = Counter((each.kind, each.severity, each.status) for each in incidents)
        for (kind, severity, status), count in counts.items():
            metrics.incidents.labels(kind.value, severity.value, status.value).set(count)
        metrics.at_risk.clear()
        metrics.at_risk.labels(self._app.settings.currency).set(0)
        for each in incidents:
            if each.kind is IncidentKind.BUSINESS:
                money = each.at_risk_per_hour
                metrics.at_risk.labels(money.currency).inc(money.mid)
