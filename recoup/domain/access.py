"""What callers may do: scopes of API keys, and the keys as the log knows them."""

from collections.abc import Iterable
from enum import StrEnum

from recoup.domain.base import Frozen, Moment
from recoup.domain.facts import KeyCreated, KeyRevoked, Recorded

ROLES = ("viewer", "responder", "approver", "admin")
"""The roles of people. ``viewer`` looks, the others may decide what a playbook lets them."""


class Scope(StrEnum):
    """What an API key opens; ``admin`` opens everything."""

    EVENTS_WRITE = "events:write"
    CHANGES_WRITE = "changes:write"
    INCIDENTS_READ = "incidents:read"
    DECIDE = "decide"
    ADMIN = "admin"


class Key(Frozen):
    """An API key: everything but the key itself, of which only a hash is kept."""

    key_id: str
    name: str
    scopes: tuple[str, ...]
    digest: str
    created_at: Moment
    expires_at: Moment | None = None
    revoked_at: Moment | None = None

    def is_valid(self, now: Moment) -> bool:
        """Tell whether the key opens anything at a moment."""
        ended = [at for at in (self.expires_at, self.revoked_at) if at is not None]
        return all(now < at for at in ended)

    def opens(self, scope: Scope) -> bool:
        """Tell whether the key has a scope."""
        return scope in self.scopes or Scope.ADMIN in self.scopes


def fold_keys(entries: Iterable[Recorded], known: dict[str, Key] | None = None) -> dict[str, Key]:
    """Return the keys by id after further facts; of several ends the earliest holds."""
    keys = dict(known or {})
    for entry in entries:
        fact = entry.fact
        if isinstance(fact, KeyCreated):
            keys[fact.key_id] = Key(
                **fact.model_dump(include={"key_id", "name", "scopes", "digest", "expires_at"}),
                created_at=entry.occurred_at,
            )
        elif isinstance(fact, KeyRevoked) and fact.key_id in keys:
            key = keys[fact.key_id]
            ends = min(fact.at, key.revoked_at) if key.revoked_at else fact.at
            keys[fact.key_id] = key.model_copy(update={"revoked_at": ends})
    return keys
