"""What Recoup needs to know of your GitHub repositories."""

from typing import ClassVar

from pydantic import Field, SecretStr

from recoup.settings import Names, Section


class GitHubSettings(Section):
    """Webhooks sent to /hooks/github; deployments are read and made through REST."""

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
    base_url: str = Field(default="https://api.github.com", description="the REST API")
    token: SecretStr | None = Field(
        default=None, description="may write deployments (and actions) of the repositories"
    )
    may_deploy: Names = Field(
        default=(), description="owner/name of what Recoup may roll back; empty: all the token may"
    )
    dispatch_ref: str = Field(
        default="main", description="the branch whose deploy workflow is dispatched"
    )
    keyed_runs: bool = Field(
        default=False,
        description="the deploy workflow has inputs.recoup_key in its run-name, so that a run "
        "is recognised and may be started again when none shows",
    )
