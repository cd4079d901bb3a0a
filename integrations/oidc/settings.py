"""Where people sign in, and which roles their groups give."""

from typing import ClassVar

from pydantic import Field, SecretStr

from recoup.settings import Section


class OidcSettings(Section):
    """An OpenID Connect provider; the redirect address is PUBLIC_URL/signin/oidc/callback."""

    section_name: ClassVar[str] = "oidc"

    issuer: str = Field(default="", description="the provider's issuer URL; empty: no such sign-in")
    client_id: str = Field(default="", description="as registered with the provider")
    client_secret: SecretStr | None = Field(default=None, description="as registered")
    scopes: str = Field(default="openid email profile", description="what is asked for")
    groups_claim: str = Field(default="groups", description="the claim that lists groups")
    group_roles: dict[str, list[str]] = Field(
        default_factory=dict, description="roles by group: viewer, responder, approver, admin"
    )
    trust_unverified_email: bool = Field(
        default=False, description="take an e-mail address that the provider did not verify"
    )
