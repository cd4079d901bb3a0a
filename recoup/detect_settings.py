"""The settings of detection, its candidates included, and what every part of the settings is."""

import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator
from pydantic_settings import NoDecode

from recoup.domain.periods import Period

DEFAULT_FUNNEL = (
    "page_viewed",
    "product_viewed",
    "product_added",
    "checkout_started",
    "payment_attempted",
    "order_completed",
)


def split_commas(value: object) -> object:
    """Turn ``a, b`` of an environment variable into two values; leave a list as it is."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_commas)]
"""Several texts: a list in the file, separated by commas in the environment."""


class Part(BaseModel):
    """One table of the settings: frozen, and closed to names it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DetectSettings(Part):
    """What is watched and how eagerly."""

    tick_s: int = Field(default=60, description="seconds of event time between decisions")
    grace_s: int = Field(default=10, description="how long a tick waits for stragglers")
    funnel: tuple[str, ...] = Field(
        default=DEFAULT_FUNNEL, description="event types in the order of the funnel"
    )
    horizon_s: int = Field(default=1800, description="longest wait for a step's outcome")
    false_alarms_per_month: float = Field(
        default=1.0, description="the budget from which every threshold follows"
    )
    warm_up_h: float = Field(default=48.0, description="event time before anything may alarm")
    max_cohort_dims: int = Field(default=3, description="how deep cohorts go")
    max_values_per_dimension: int = Field(
        default=500, description="further values are counted as `other`"
    )
    snapshot_every_s: int = Field(default=900, description="event time between snapshots")
    layers: Names = Field(default=(), description="layers that look on, see docs/layers.md")
    shadow: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="candidates that look on: a name, and the settings of this part that differ",
    )
    periods: tuple[Period, ...] = Field(
        default=(), description="business periods with another eagerness, as `[[detect.periods]]`"
    )

    @field_validator("shadow")
    @classmethod
    def _named(cls, value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for name, differing in value.items():
            if not re.fullmatch(r"[a-z][a-z0-9_-]{0,30}", name):
                raise ValueError(f"{name!r} is no name; use small letters, digits, _ and -")
            for wrong in sorted(set(differing) - (set(cls.model_fields) - {"shadow"})):
                raise ValueError(f"{name}: there is no setting detect.{wrong} to differ in")
        return value

    @model_validator(mode="after")
    def _readable_candidates(self) -> "DetectSettings":
        self.candidates()
        return self

    def candidates(self) -> dict[str, "DetectSettings"]:
        """Return the settings of each candidate: the live ones with what differs."""
        live = self.model_dump(exclude={"shadow"})
        return {name: DetectSettings(**{**live, **more}) for name, more in self.shadow.items()}
