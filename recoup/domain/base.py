"""The base of every value in the domain: frozen, closed, and compared by content."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict


class Frozen(BaseModel):
    """An immutable value; unknown fields are refused so that a typo never passes in silence."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _to_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is beyond the calendar") from error


Moment = Annotated[AwareDatetime, AfterValidator(_to_utc)]
"""An aware point in time, always kept in UTC."""


def from_ms(milliseconds: int) -> datetime:
    """Return the UTC moment of a Unix time in milliseconds."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def to_ms(moment: datetime) -> int:
    """Return the Unix time of an aware moment, in whole milliseconds."""
    return round(moment.timestamp() * 1000)
