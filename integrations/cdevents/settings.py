"""What Recoup needs to know of whoever sends CDEvents."""

from typing import ClassVar

from pydantic import Field, SecretStr

from recoup.settings import Names, Section


class CDEventsSettings(Section):
    """CDEvents in their CloudEvents binding, sent to /hooks/cdevents."""

    section_name: ClassVar[str] = "cdevents"

    webhook_token: SecretStr | None = Field(
        default=None, description="the bearer token of CloudEvents to /hooks/cdevents"
    )
    environments: Names = Field(default=(), description="environment ids that count; empty: all")
