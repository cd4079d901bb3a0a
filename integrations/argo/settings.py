"""What Recoup needs to know of your Argo CD and Argo Rollouts."""

from typing import ClassVar

from pydantic import Field, SecretStr

from recoup.settings import Names, Section


class ArgoSettings(Section):
    """Notifications of Argo CD and Argo Rollouts, sent to /hooks/argo."""

    section_name: ClassVar[str] = "argo"

    webhook_token: SecretStr | None = Field(
        default=None, description="what notifications to /hooks/argo carry as a bearer token"
    )
    namespaces: Names = Field(default=(), description="target namespaces that count; empty: all")
