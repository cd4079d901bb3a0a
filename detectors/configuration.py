"""What the engine is told: the funnel, the horizon, the false-alarm budget."""

from dataclasses import dataclass, field

from recoup.domain.periods import Period
from recoup.settings import DEFAULT_FUNNEL, DetectSettings

MS = 1000
HOUR_MS = 3600 * MS
DAY_MS = 24 * HOUR_MS


@dataclass(frozen=True, slots=True)
class DetectionConfig:
    """Settings of the engine, in the units it works in (milliseconds of event time)."""

    tick_ms: int = 60 * MS
    grace_ms: int = 10 * MS
    funnel: tuple[str, ...] = DEFAULT_FUNNEL
    horizon_ms: int = 1800 * MS
    error_horizon_ms: int = 180 * MS
    false_alarms_per_month: float = 1.0
    warm_up_ms: int = 2 * DAY_MS
    max_cohort_dims: int = 3
    max_values_per_dimension: int = 500
    currency: str = "EUR"
    shadow: bool = False
    charts: bool = True
    """Whether rows for charts are made; a backtest does without."""
    layers: tuple[str, ...] = ()
    max_cohorts: int = 40_000
    drops: tuple[float, ...] = (0.1, 0.2, 0.35, 0.5, 0.75, 0.97)
    rises: tuple[float, ...] = (2.0, 3.0, 5.0, 10.0, 25.0, 60.0)
    changing_dimensions: frozenset[str] = field(
        default_factory=lambda: frozenset({"release", "experiment"})
    )
    """Dimensions whose values are made by changes: a new value is judged by the other ones."""
    periods: tuple[Period, ...] = ()

    @classmethod
    def from_settings(
        cls,
        settings: DetectSettings,
        *,
        currency: str = "EUR",
        shadow: bool = False,
        charts: bool = True,
    ) -> "DetectionConfig":
        """Return the engine's form of the settings."""
        return cls(
            tick_ms=settings.tick_s * MS,
            grace_ms=settings.grace_s * MS,
            funnel=settings.funnel,
            horizon_ms=settings.horizon_s * MS,
            false_alarms_per_month=settings.false_alarms_per_month,
            warm_up_ms=int(settings.warm_up_h * HOUR_MS),
            max_cohort_dims=settings.max_cohort_dims,
            max_values_per_dimension=settings.max_values_per_dimension,
            currency=currency,
            shadow=shadow,
            charts=charts,
            layers=settings.layers,
            periods=settings.periods,
        )
