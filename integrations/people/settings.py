"""Who may decide what: the people of your team, with their names on every surface."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from recoup.settings import Section

ROLES = ("viewer", "responder", "approver", "admin")
"""What a person may be allowed; each role stands for itself."""


class Member(BaseModel):
    """One person: roles, and the names by which surfaces and vendors know them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = ""
    roles: tuple[str, ...] = ()
    slack: str = ""
    emails: tuple[str, ...] = ()
    logins: tuple[str, ...] = ()


class PeopleSettings(Section):
    """One entry a person; the key is their id in the log, so keep it."""

    section_name: ClassVar[str] = "people"

    members: dict[str, Member] = Field(
        default_factory=dict,
        description="by id: name, roles (viewer, responder, approver, admin), slack (user id), "
        "emails, logins (as in GitHub or LaunchDarkly)",
    )
