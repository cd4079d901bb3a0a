"""Who may send events from a browser, and from which pages."""

from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from recoup.settings import Names, Section, split_commas


class TrackerSettings(Section):
    """Keys that everybody can read in a page: they may add events and nothing else."""

    section_name: ClassVar[str] = "tracker"

    write_keys: Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(split_commas)] = Field(
        default=(),
        description="comma-separated; write-only, for the tracker, Segment, GA4 and Snowplow",
    )
    allowed_origins: Names = Field(
        default=(), description="pages that may send, such as https://shop.example; empty: all"
    )
