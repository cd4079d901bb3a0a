"""Facts of who may come in: keys made and ended, people signed in."""

from recoup.domain.base import Moment
from recoup.domain.fact_base import Fact


class KeyCreated(Fact):
    """An API key was made; of the key itself only a hash is kept."""

    type_name = "key.created"
    key_id: str
    name: str
    scopes: tuple[str, ...]
    digest: str
    by: str
    expires_at: Moment | None = None


class KeyRevoked(Fact):
    """An API key ends at a moment: at once, or later when it was rotated."""

    type_name = "key.revoked"
    key_id: str
    at: Moment
    by: str
    reason: str = ""


class SignedIn(Fact):
    """Somebody came in to the pages; ``way`` is ``key``, ``link`` or ``oidc``."""

    type_name = "person.signed_in"
    person_id: str
    name: str
    roles: tuple[str, ...]
    way: str
    session_id: str
