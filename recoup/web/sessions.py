"""Sessions of people on the pages: signed cookies, form tokens and one-time links."""

import hashlib
import hmac
import secrets
from datetime import datetime
from typing import Any

import structlog
from itsdangerous import BadData, URLSafeTimedSerializer
from starlette.requests import Request

from recoup.domain.errors import ConfigurationError, NotAllowed
from recoup.domain.proposals import Person
from recoup.settings import Settings
from store.pseudonyms import MasterKey

LINK_VALID_S = 900
_PERSON, _CSRF, _KEY, _SESSION, _SINCE = "person", "csrf", "key", "sid", "since"
_log = structlog.get_logger()


def secret_of(master: MasterKey) -> str:
    """Return the secret that signs sessions, derived from the master key.

    Without a master key (PostgreSQL, none set) it is random: sessions end with the process.
    """
    try:
        return hmac.new(master.read(), b"recoup web sessions", hashlib.sha256).hexdigest()
    except ConfigurationError:
        _log.warning("sessions.fleeting", way_on="set RECOUP_MASTER_KEY to keep people signed in")
        return secrets.token_hex(32)


def cookie_of(settings: Settings) -> dict[str, Any]:
    """Return how the session cookie is set: bound to this host, and to TLS where there is TLS."""
    secure = settings.public_url.startswith("https://")
    return {
        "session_cookie": "__Host-recoup" if secure else "recoup_session",
        "max_age": round(settings.web.session_h * 3600),
        "same_site": "lax",
        "https_only": secure,
    }


def begin(request: Request, person: Person, now: datetime, *, key_id: str = "") -> str:
    """Begin a session anew (so that none is carried over); return its id."""
    session_id = secrets.token_hex(8)
    request.session.clear()
    request.session.update(
        {
            _PERSON: person.model_dump(mode="json"),
            _KEY: key_id,
            _SESSION: session_id,
            _SINCE: now.timestamp(),
        }
    )
    return session_id


def end(request: Request) -> None:
    """End the session."""
    request.session.clear()


def is_over(request: Request, now: datetime, session_h: float) -> bool:
    """Tell whether the session has lasted its time; looking at pages does not prolong it."""
    return now.timestamp() - float(request.session.get(_SINCE, 0.0)) > session_h * 3600


def person_of(request: Request) -> tuple[Person, str] | None:
    """Return who is signed in and with which key (empty without one), or None."""
    found = request.session.get(_PERSON)
    if not found:
        return None
    return Person.model_validate(found), str(request.session.get(_KEY, ""))


def form_token(request: Request) -> str:
    """Return the token that a form of this session must carry."""
    token: str = request.session.setdefault(_CSRF, secrets.token_urlsafe(24))
    return token


def check_token(request: Request, given: str) -> None:
    """Raise NotAllowed unless the form carries its session's token."""
    expected = str(request.session.get(_CSRF, ""))
    if not expected or not hmac.compare_digest(given.encode(), expected.encode()):
        raise NotAllowed("this form is not from this session; load the page again")


def make_link(secret: str, person: Person) -> str:
    """Return the token of a link that signs somebody in once, within a quarter of an hour."""
    body = {"person": person.model_dump(mode="json"), "once": secrets.token_hex(12)}
    return str(_links(secret).dumps(body))


def read_link(secret: str, token: str) -> tuple[Person, str]:
    """Return whom a link signs in, and the mark under which it is used up. Raises NotAllowed."""
    try:
        body = _links(secret).loads(token, max_age=LINK_VALID_S)
        return Person.model_validate(body["person"]), str(body["once"])
    except (BadData, KeyError, ValueError) as error:
        raise NotAllowed("this link is not valid any more; ask for a new one") from error


def _links(secret: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(secret, salt="recoup one-time link")
