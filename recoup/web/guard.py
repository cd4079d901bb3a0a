"""Who may come in: API keys, or loopback while there are none; and no forms from other sites."""

import hashlib
import hmac
import ipaddress
from urllib.parse import urlsplit

from starlette.requests import Request

from recoup.domain.errors import NotAllowed
from recoup.domain.proposals import Person
from recoup.settings import Settings

COOKIE = "recoup_session"
OPERATOR_ROLES = ("responder", "approver", "admin")


class Guard:
    """Checks callers against the settings."""

    def __init__(self, settings: Settings) -> None:
        self._keys = [key.get_secret_value().encode() for key in settings.api_keys]

    def check_api(self, request: Request) -> None:
        """Raise NotAllowed unless the caller has a key, or is local while there are no keys."""
        if not self._keys:
            self._check_loopback(request)
            return
        given = request.headers.get("authorization", "").removeprefix("Bearer ").encode()
        if not any(hmac.compare_digest(given, key) for key in self._keys):
            raise NotAllowed("send a valid API key as `Authorization: Bearer KEY`")

    def check_page(self, request: Request) -> Person:
        """Return who looks at a page. Raises NotAllowed for somebody without key or session."""
        if not self._keys:
            self._check_loopback(request)
        elif not any(
            hmac.compare_digest(request.cookies.get(COOKIE, ""), session_of(key))
            for key in self._keys
        ):
            raise NotAllowed("sign in with an API key first")
        return Person(id="page:operator", name="operator on the page", roles=OPERATOR_ROLES)

    def check_form(self, request: Request) -> Person:
        """As ``check_page``, and refuse a form that another site made the browser send."""
        site = request.headers.get("sec-fetch-site", "same-origin")
        origin = request.headers.get("origin")
        other = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
        if site not in ("same-origin", "none") or other:
            raise NotAllowed("this form was sent by another site")
        return self.check_page(request)

    def session_for(self, key: str) -> str:
        """Return the cookie for a key. Raises NotAllowed when it is none of ours."""
        if not any(hmac.compare_digest(key.encode(), known) for known in self._keys):
            raise NotAllowed("this is not a valid API key")
        return session_of(key.encode())

    def _check_loopback(self, request: Request) -> None:
        host = request.client.host if request.client else ""
        try:
            local = ipaddress.ip_address(host).is_loopback
        except ValueError:
            local = host in ("localhost", "testclient")
        if not local:
            raise NotAllowed("no API keys are configured, so only this machine is served")


def session_of(key: bytes) -> str:
    """Return the cookie value that proves knowledge of a key without holding it."""
    return hmac.new(key, b"recoup session", hashlib.sha256).hexdigest()
