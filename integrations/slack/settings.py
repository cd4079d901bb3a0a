"""What Recoup needs to know of your Slack workspace."""

from typing import ClassVar

from pydantic import Field, SecretStr

from recoup.settings import Section


class SlackSettings(Section):
    """One app with interactivity; docs/slack-manifest.yaml makes it.

    Clicks come over HTTP (``signing_secret``), over Socket Mode (``app_token``), or both.
    """

    section_name: ClassVar[str] = "slack"

    bot_token: SecretStr | None = Field(default=None, description="xoxb-..., from the app's page")
    signing_secret: SecretStr | None = Field(
        default=None, description="signs what Slack sends to /slack/events"
    )
    app_token: SecretStr | None = Field(
        default=None,
        description="xapp-..., for Socket Mode: clicks come without an address open to the world",
    )
    channel: str = Field(default="", description="id of the channel for incidents")
    base_url: str = Field(default="https://slack.com/api/", description="the Web API")
    people: dict[str, list[str]] = Field(
        default_factory=dict,
        description="roles by Slack user id: viewer, responder, approver, admin",
    )
    groups: dict[str, list[str]] = Field(
        default_factory=dict,
        description="roles by id of a Slack user group (S0...); its members get them",
    )

    charts: bool = Field(
        default=True, description="upload a chart with each message (needs the scope files:write)"
    )
    gap_s: float = Field(
        default=1.0, ge=0, description="seconds between two messages in the same channel"
    )

    @property
    def configured(self) -> bool:
        """Whether messages can be posted and clicks be trusted."""
        return bool(self.bot_token and self.channel and (self.signing_secret or self.app_token))
