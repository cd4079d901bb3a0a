"""Signing in to test with: a token for forms, and an identity provider of this test run's own."""

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from recoup.demo.standins.running import Running
from recoup.domain.clock import SystemClock


class Provider:
    """Lets everybody in as ``claims`` say; a test may spoil its answers."""

    def __init__(self) -> None:
        self.url = ""
        self.claims: dict[str, Any] = {}
        self.spoilt: dict[str, Any] = {}
        self.key = RSAKey.generate_key(2048, {"kid": "k1"})
        self.signing_key = self.key
        self.asked: dict[str, str] = {}
        self.app = Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._configuration),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
                Route("/jwks", self._jwks),
            ]
        )

    async def _configuration(self, _request: Request) -> Response:
        names = {
            "authorization_endpoint": "authorize",
            "token_endpoint": "token",
            "jwks_uri": "jwks",
        }
        found = {name: f"{self.url}/{path}" for name, path in names.items()}
        algorithms = {"id_token_signing_alg_values_supported": ["RS256", "HS256", "none"]}
        return JSONResponse({"issuer": self.url, **found, **algorithms, **self.spoilt})

    async def _authorize(self, request: Request) -> Response:
        self.asked = dict(request.query_params)
        back = {"code": "c1", "state": self.asked["state"]}
        return RedirectResponse(f"{self.asked['redirect_uri']}?{urlencode(back)}", 302)

    async def _token(self, request: Request) -> Response:
        form = dict(await request.form())
        assert form["code"] == "c1"
        assert form["code_verifier"]
        now = int(SystemClock().now().timestamp())
        claims = {
            "iss": self.url,
            "aud": "recoup",
            "sub": "u1",
            "iat": now,
            "exp": now + 300,
            "nonce": self.asked["nonce"],
            **self.claims,
        }
        token = jwt.encode({"alg": "RS256", "kid": "k1"}, claims, self.signing_key)
        return JSONResponse({"access_token": "a", "token_type": "Bearer", "id_token": token})

    async def _jwks(self, _request: Request) -> Response:
        return JSONResponse(KeySet([self.key]).as_dict(private=False))


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    with Running(made.app) as running:
        made.url = running.url
        yield made


@pytest.fixture
def token_of() -> Callable[..., str]:
    """Finds the form token of a page."""

    def find(client: TestClient, path: str = "/signin") -> str:
        found = re.search(r'name="csrf" value="([^"]+)"', client.get(path).text)
        assert found, "the page has no form"
        return found[1]

    return find
