"""What Recoup needs to know of your GitLab projects."""

from typing import ClassVar

from pydantic import Field, SecretStr, field_validator

from integrations.signatures import check_standard_secret
from recoup.domain.errors import ConfigurationError
from recoup.settings import Names, Section


class GitLabSettings(Section):
    """Webhooks sent to /hooks/gitlab; deployments are read and made through REST."""

    section_name: ClassVar[str] = "gitlab"

    webhook_token: SecretStr | None = Field(
        default=None, description="the secret token of webhooks to /hooks/gitlab"
    )
    signing_token: SecretStr | None = Field(
        default=None, description="the signing token; when set, only signed webhooks are taken"
    )
    environments: Names = Field(
        default=("production",), description="names or tiers; other deployments are passed over"
    )

    base_url: str = Field(default="https://gitlab.com/api/v4", description="the REST API")
    token: SecretStr | None = Field(
        default=None, description="an access token with the scope api on the projects"
    )
    may_deploy: Names = Field(
        default=(), description="group/name of what Recoup may roll back; empty: all the token may"
    )

    @field_validator("signing_token")
    @classmethod
    def _usable(cls, value: SecretStr | None) -> SecretStr | None:
        """Refuse at the start what would refuse every delivery later."""
        try:
            if value is not None:
                check_standard_secret(value.get_secret_value())
        except ConfigurationError as error:
            raise ValueError(str(error)) from error
        return value
