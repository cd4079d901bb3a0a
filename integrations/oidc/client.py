"""OpenID Connect by authlib: code flow with PKCE, state and nonce; the ID token is verified."""

from typing import Any

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.starlette_client import OAuth
from httpx import HTTPError
from joserfc.errors import JoseError
from starlette.requests import Request
from starlette.responses import Response

from integrations.oidc.settings import OidcSettings
from recoup.domain.errors import NotAllowed, TransientVendorError
from recoup.domain.ports import Directory
from recoup.domain.proposals import Person

SURFACE = "oidc"
SIGNED_BY = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]
"""What an ID token may be signed with: neither ``none`` nor a shared secret."""


class OidcProvider:
    """Your identity provider."""

    def __init__(self, settings: OidcSettings, directory: Directory) -> None:
        self._settings, self._directory = settings, directory
        secret = settings.client_secret.get_secret_value() if settings.client_secret else None
        issuer = settings.issuer.rstrip("/")
        self._client = OAuth().register(
            name="provider",
            server_metadata_url=f"{issuer}/.well-known/openid-configuration",
            client_id=settings.client_id,
            client_secret=secret,
            client_kwargs={"scope": settings.scopes, "code_challenge_method": "S256"},
        )

    async def send_there(self, request: Request, back_to: str) -> Response:
        """Return the redirect to the provider. Raises TransientVendorError when it is away."""
        try:
            await self._metadata()
            answer: Response = await self._client.authorize_redirect(request, back_to)
        except (HTTPError, AuthlibBaseError) as error:
            raise TransientVendorError(f"the identity provider does not answer: {error}") from error
        return answer

    async def person_from(self, request: Request) -> Person:
        """Return who came back. Raises NotAllowed unless everything about the answer holds."""
        try:
            await self._metadata()
            token = await self._client.authorize_access_token(request)
        except (AuthlibBaseError, JoseError) as error:
            raise NotAllowed(f"the identity provider's answer does not hold: {error}") from error
        except HTTPError as error:
            raise TransientVendorError(f"the identity provider does not answer: {error}") from error
        claims = token.get("userinfo")
        if not claims:
            raise NotAllowed("the identity provider sent no ID token")
        return self._person(dict(claims))

    async def _metadata(self) -> None:
        metadata = await self._client.load_server_metadata()
        issuer = str(metadata.get("issuer", "")).rstrip("/")
        if issuer != self._settings.issuer.rstrip("/"):
            raise NotAllowed(f"the provider calls itself {issuer!r}, not {self._settings.issuer!r}")
        offered = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
        allowed = [name for name in offered if name in SIGNED_BY]
        metadata["id_token_signing_alg_values_supported"] = allowed or ["RS256"]

    def _person(self, claims: dict[str, Any]) -> Person:
        subject, email = str(claims["sub"]), str(claims.get("email", ""))
        known = claims.get("email_verified") is True or self._settings.trust_unverified_email
        name = str(claims.get("name") or claims.get("preferred_username") or email or subject)
        external = email if email and known else f"sub:{subject}"
        person = self._directory.person(SURFACE, external, name)
        groups = claims.get(self._settings.groups_claim) or []
        groups = [groups] if isinstance(groups, str) else list(groups)
        roles = dict.fromkeys(person.roles)
        for group in groups:
            roles |= dict.fromkeys(self._settings.group_roles.get(str(group), ()))
        return person.model_copy(update={"roles": tuple(roles)})
