"""What Recoup needs to know of your GitHub repositories."""

from typing import ClassVar

from pydantic import Field, SecretStr

from recoup.settings import Names, Section


class GitHubSettings(Section):
    """Webhooks of repositories or of an organisation, sent to /hooks/github."""

    section_name: ClassVar[str] = "github"

    webhook_secret: SecretStr | None = Field(
        default=None, description="the secret that signs webhooks to /hooks/github"
    )
    environments: Names = Field(
        default=("production",), description="deployments to other environments are passed over"
    )
    events: Names = Field(
        default=("deployment_status", "release"),
        description="what counts as a change; `deployment` and `push` can be added",
    )
