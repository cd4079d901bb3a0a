"""Signing in: by an API key, by a one-time link, or at your identity provider; and out again."""

import asyncio
from typing import Any
from urllib.parse import parse_qs

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from recoup.app import App
from recoup.domain.errors import NotAllowed, RecoupError, TooMany
from recoup.domain.facts import NewFact, SignedIn
from recoup.domain.proposals import Person
from recoup.web import sessions
from recoup.web.guard import CONFIGURED, Guard
from recoup.web.rendering import Renderer

STREAM = "people"


def add_sign_in(
    web: FastAPI, app: App, guard: Guard, renderer: Renderer, session_secret: str
) -> None:
    """Add the ways in and the way out."""
    ways = SignIn(app, guard, renderer, session_secret)
    for method, path, handler in (
        ("GET", "/signin", ways.ask),
        ("POST", "/signin", ways.by_key),
        ("GET", "/signin/link", ways.ask_link),
        ("POST", "/signin/link", ways.by_link),
        ("GET", "/signin/oidc", ways.to_provider),
        ("GET", "/signin/oidc/callback", ways.from_provider),
        ("POST", "/signout", ways.out),
    ):
        web.add_api_route(path, handler, methods=[method], include_in_schema=False)


class SignIn:
    """The handlers."""

    def __init__(self, app: App, guard: Guard, renderer: Renderer, session_secret: str) -> None:
        self._app, self._guard = app, guard
        self._renderer, self._secret = renderer, session_secret

    async def ask(self, request: Request) -> Response:
        """Show the ways in."""
        return self._page(request)

    async def by_key(self, request: Request) -> Response:
        """Let somebody in who knows an API key."""
        form = await form_of(request)
        try:
            self._check(request, form)
            person, key = await asyncio.to_thread(
                self._guard.holder_of, request, form.get("key", "")
            )
        except TooMany as error:
            return self._page(request, wrong=f"{error}.", status=429)
        except NotAllowed as error:
            known = "This is not a valid API key" if form.get("key") else str(error)
            return self._page(request, wrong=f"{known}.", status=401)
        key_id = key.key_id if key else CONFIGURED
        return await self._in(request, person, "key", key_id=key_id)

    async def ask_link(self, request: Request) -> Response:
        """Show the button of a one-time link; looking at it does not use it up."""
        return self._page(request, token=request.query_params.get("token", ""))

    async def by_link(self, request: Request) -> Response:
        """Let somebody in once by a link."""
        form = await form_of(request)
        try:
            self._check(request, form)
            self._guard.count_sign_in(request)
            person, once = sessions.read_link(self._secret, form.get("token", ""))
            return await self._in(request, person, "link", once=once)
        except RecoupError as error:
            status = 429 if isinstance(error, TooMany) else 401
            return self._page(request, wrong=f"{error}.", status=status)

    async def to_provider(self, request: Request) -> Response:
        """Send somebody to the identity provider."""
        if self._app.provider is None:
            return RedirectResponse("/signin", status_code=303)
        try:
            self._guard.count_sign_in(request)
            there: Response = await self._app.provider.send_there(request, self._callback(request))
            return there
        except RecoupError as error:
            return self._page(request, wrong=f"{error}.", status=503)

    async def from_provider(self, request: Request) -> Response:
        """Let somebody in who comes back from the identity provider."""
        if self._app.provider is None:
            return RedirectResponse("/signin", status_code=303)
        try:
            person = await self._app.provider.person_from(request)
        except RecoupError as error:
            return self._page(request, wrong=f"{error}.", status=401)
        return await self._in(request, person, "oidc")

    async def out(self, request: Request) -> Response:
        """End the session."""
        self._check(request, await form_of(request))
        sessions.end(request)
        return RedirectResponse("/signin", status_code=303)

    def _check(self, request: Request, form: dict[str, str]) -> None:
        self._guard.check_origin(request)
        sessions.check_token(request, form.get("csrf", ""))

    def _callback(self, request: Request) -> str:
        base = self._app.settings.public_url or str(request.base_url)
        return f"{base.rstrip('/')}/signin/oidc/callback"

    async def _in(
        self, request: Request, person: Person, way: str, *, key_id: str = "", once: str = ""
    ) -> Response:
        session_id = sessions.begin(request, person, self._app.clock.now(), key_id=key_id)
        fact = SignedIn(
            person_id=person.id,
            name=person.name,
            roles=person.roles,
            way=way,
            session_id=session_id,
        )
        new = NewFact(
            fact_id=f"signed-in:{once or session_id}",
            fact=fact,
            occurred_at=self._app.clock.now(),
            actor=person.id,
        )
        stored = (await asyncio.to_thread(self._app.store.append, STREAM, [new]))[0].fact
        if stored != fact:
            sessions.end(request)
            raise NotAllowed("this link was used already; ask for a new one")
        return RedirectResponse("/", status_code=303)

    def _page(
        self, request: Request, *, wrong: str = "", token: str = "", status: int = 200
    ) -> Response:
        values: dict[str, Any] = {
            "person": None,
            "title": "Sign in",
            "wrong": wrong,
            "token": token,
            "has_provider": self._app.provider is not None,
            "status": status,
            "csrf": sessions.form_token(request),
        }
        return self._renderer.page(request, "signin.html", self._app.clock.now(), **values)


async def form_of(request: Request) -> dict[str, str]:
    """Return the fields of a posted form; of several values the first counts."""
    fields = parse_qs((await request.body()).decode(errors="replace"))
    return {name: values[0] for name, values in fields.items()}
