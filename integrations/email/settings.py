"""How Recoup sends mail, and whom it wakes by it."""

from typing import ClassVar, Literal

from pydantic import Field, SecretStr

from recoup.settings import Section


class EmailSettings(Section):
    """An SMTP server; mails go out when an incident is escalated."""

    section_name: ClassVar[str] = "email"

    host: str = Field(default="", description="the SMTP server; empty sends no mail")
    port: int = Field(default=587, description="its port")
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="none is for a server on this machine only"
    )
    user: str = Field(default="", description="empty does not log in")
    password: SecretStr | None = Field(default=None, description="for the user")
    sender: str = Field(default="", description="the From address")
    to: tuple[str, ...] = Field(default=(), description="who gets a mail on escalation")

    @property
    def can_send(self) -> bool:
        """Whether there is a server to send by."""
        return bool(self.host and self.sender)

    @property
    def configured(self) -> bool:
        """Whether mail can be sent to somebody."""
        return self.can_send and bool(self.to)
