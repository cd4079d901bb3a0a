"""Moments as whole microseconds, so that a database compares them exactly."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_us(moment: datetime) -> int:
    """Return the Unix time of an aware moment, in whole microseconds."""
    return (moment - _EPOCH) // _MICROSECOND


def from_us(unix_us: int) -> datetime:
    """Return the moment of a Unix time in microseconds."""
    return _EPOCH + unix_us * _MICROSECOND


def to_whole_ms(moment: datetime) -> int:
    """Return the Unix time of an aware moment, in whole milliseconds, rounded down."""
    return to_us(moment) // 1000
