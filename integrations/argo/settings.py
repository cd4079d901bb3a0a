"""What Recoup needs to know of your Argo CD and Argo Rollouts."""

from typing import ClassVar

from pydantic import Field, SecretStr

from recoup.settings import Names, Section


class ArgoSettings(Section):
    """Notifications sent to /hooks/argo; rollouts are aborted and undone through the dashboard."""

    section_name: ClassVar[str] = "argo"

    webhook_token: SecretStr | None = Field(
        default=None, description="what notifications to /hooks/argo carry as a bearer token"
    )
    namespaces: Names = Field(default=(), description="target namespaces that count; empty: all")
    base_url: str = Field(default="", description="where the Argo Rollouts dashboard answers")
    token: SecretStr | None = Field(
        default=None, description="bearer token for the proxy before the dashboard, if there is one"
    )
    may_touch: Names = Field(
        default=(), description="namespaces whose rollouts Recoup may undo; empty: all it reaches"
    )
