"""Who may come in: API keys and sessions, or loopback while there are neither."""

import hmac
import ipaddress
from urllib.parse import urlsplit

from starlette.requests import Request

from recoup.app import App
from recoup.domain.access import Key, Scope
from recoup.domain.errors import MissingRight, NotAllowed
from recoup.domain.proposals import Person
from recoup.keys import KeyRing
from recoup.web import sessions
from recoup.web.throttle import Throttle

OPERATOR_ROLES = ("responder", "approver", "admin")
_ROLES_OF_SCOPE = {
    Scope.INCIDENTS_READ: ("viewer",),
    Scope.DECIDE: ("responder", "approver"),
    Scope.ADMIN: OPERATOR_ROLES,
}
CONFIGURED = "settings"
"""The id of the keys that stand in the settings."""


class Guard:
    """Checks callers against keys, sessions and limits."""

    def __init__(self, app: App, throttle: Throttle) -> None:
        self._keys = [key.get_secret_value().encode() for key in app.settings.api_keys]
        self._session_h = app.settings.web.session_h
        self._has_provider = app.provider is not None
        self.ring = KeyRing(app.store, app.clock)
        self._throttle = throttle
        self._clock = app.clock

    @property
    def is_open(self) -> bool:
        """Whether nothing is configured, so that this machine (and nobody else) is served."""
        if self._keys or self._has_provider:
            return False
        return not any(key.is_valid(self._clock.now()) for key in self.ring.all())

    def check_api(self, request: Request, scope: Scope) -> Person:
        """Return the caller of the API. Raises NotAllowed, MissingRight or TooMany."""
        purpose = "events" if scope is Scope.EVENTS_WRITE else "request"
        if self.is_open:
            self._check_loopback(request)
            self._throttle.hit(purpose, "loopback")
            return Person(id="api:operator", name="operator", roles=OPERATOR_ROLES)
        given = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        person, key = self.holder_of(request, given)
        if key is not None and not key.opens(scope):
            raise MissingRight(f"the key {key.name!r} lacks the scope {scope.value}")
        self._throttle.hit(purpose, person.id)
        return person

    def holder_of(self, request: Request, given: str) -> tuple[Person, Key | None]:
        """Return who holds a key, and the key unless it stands in the settings.

        Raises NotAllowed; wrong keys are counted, and too many of them are not looked at.
        """
        caller = _address(request)
        self._throttle.look("sign-in", caller)
        if any(hmac.compare_digest(given.encode(), key) for key in self._keys):
            return Person(id="api:operator", name="operator", roles=OPERATOR_ROLES), None
        key = self.ring.find(given)
        if key is None:
            self._throttle.hit("sign-in", caller)
            raise NotAllowed("send a valid API key as `Authorization: Bearer KEY`")
        return Person(id=f"key:{key.key_id}", name=key.name, roles=roles_of(key)), key

    def check_page(self, request: Request, *roles: str) -> Person:
        """Return who looks at a page. Raises NotAllowed without session, MissingRight without role.

        Every role may look at everything but what needs one of ``roles``.
        """
        person = self._visitor(request)
        if not person.roles:
            raise MissingRight(f"{person.name} has no role here; an admin gives roles to people")
        if roles and not set(roles) & set(person.roles):
            raise MissingRight(f"this needs one of the roles {', '.join(roles)}")
        return person

    def check_form(self, request: Request, token: str) -> Person:
        """As ``check_page``, and refuse a form that is not from one of our pages."""
        self.check_origin(request)
        sessions.check_token(request, token)
        person = self.check_page(request)
        self._throttle.hit("request", person.id)
        return person

    def check_origin(self, request: Request) -> None:
        """Raise NotAllowed for a form that another site made the browser send."""
        site = request.headers.get("sec-fetch-site", "same-origin")
        origin = request.headers.get("origin")
        other = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
        if site not in ("same-origin", "none") or other:
            raise MissingRight("this form was sent by another site")

    def count_sign_in(self, request: Request) -> None:
        """Count an attempt to sign in. Raises TooMany."""
        self._throttle.hit("sign-in", _address(request))

    def _visitor(self, request: Request) -> Person:
        found = sessions.person_of(request)
        if found is not None:
            person, key_id = found
            over = sessions.is_over(request, self._clock.now(), self._session_h)
            if not over and (key_id in ("", CONFIGURED) or self._still_valid(key_id)):
                return person
            sessions.end(request)
        if not self.is_open:
            raise NotAllowed("sign in first")
        self._check_loopback(request)
        return Person(id="page:operator", name="operator on the page", roles=OPERATOR_ROLES)

    def _still_valid(self, key_id: str) -> bool:
        now = self._clock.now()
        return any(key.key_id == key_id and key.is_valid(now) for key in self.ring.all())

    def _check_loopback(self, request: Request) -> None:
        host = _address(request)
        try:
            local = ipaddress.ip_address(host).is_loopback
        except ValueError:
            local = host in ("localhost", "testclient")
        if not local:
            raise NotAllowed("no API keys are configured, so only this machine is served")


def roles_of(key: Key) -> tuple[str, ...]:
    """Return the roles that a key's scopes give."""
    found = (
        role for scope, roles in _ROLES_OF_SCOPE.items() if scope in key.scopes for role in roles
    )
    return tuple(dict.fromkeys(found))


def _address(request: Request) -> str:
    return request.client.host if request.client else ""
