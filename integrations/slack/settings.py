"""What Recoup needs to know of your Slack workspace."""

from typing import ClassVar

from pydantic import Field, SecretStr

from recoup.settings import Section


class SlackSettings(Section):
    """One app with interactivity; docs/slack-manifest.yaml makes it."""

    section_name: ClassVar[str] = "slack"

    bot_token: SecretStr | None = Field(default=None, description="xoxb-..., from the app's page")
    signing_secret: SecretStr | None = Field(
        default=None, description="signs what Slack sends to /slack/events"
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

    @property
    def configured(self) -> bool:
        """Whether messages can be posted and clicks be trusted."""
        return bool(self.bot_token and self.signing_secret and self.channel)
