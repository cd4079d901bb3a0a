"""API keys: made, listed, rotated and revoked as facts in the log; only their hashes are kept."""

import hashlib
import hmac
import secrets
import threading
import time
from datetime import datetime, timedelta

from recoup.domain.access import Key, Scope, fold_keys
from recoup.domain.clock import Clock
from recoup.domain.errors import InvalidInput, NotFound
from recoup.domain.facts import KeyCreated, KeyRevoked, NewFact
from recoup.domain.ids import RandomIds
from recoup.domain.ports import FactLog

PREFIX = "rk"
STREAM = "keys"
FRESH_S = 2.0
"""A revoked key is refused by every process after this at the latest."""
_TYPES = ("key.created", "key.revoked")
_PAGE = 1000


class KeyRing:
    """The keys of the log. Reading is cheap: what is new is looked up every few seconds."""

    def __init__(self, log: FactLog, clock: Clock) -> None:
        self._log, self._clock = log, clock
        self._keys: dict[str, Key] = {}
        self._position = 0
        self._read_at = float("-inf")
        self._lock = threading.Lock()

    def all(self) -> list[Key]:
        """Return every key there ever was, the earliest first."""
        with self._lock:
            if time.monotonic() - self._read_at > FRESH_S:
                self._read()
            return list(self._keys.values())

    def find(self, text: str) -> Key | None:
        """Return the valid key that a caller sent, or None."""
        prefix, _, rest = text.partition("_")
        key_id, _, secret = rest.partition("_")
        known = {key.key_id: key for key in self.all()}
        key = known.get(key_id) if prefix == PREFIX else None
        digest = _hash(secret)
        if key is None or not hmac.compare_digest(digest, key.digest):
            return None
        return key if key.is_valid(self._clock.now()) else None

    def create(
        self, name: str, scopes: tuple[Scope, ...], by: str, valid: timedelta | None = None
    ) -> tuple[Key, str]:
        """Make a key; return it, and the text that is shown this once."""
        if not name.strip() or not scopes:
            raise InvalidInput("a key needs a name and at least one scope")
        now = self._clock.now()
        key_id, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
        fact = KeyCreated(
            key_id=key_id,
            name=name,
            scopes=tuple(scopes),
            digest=_hash(secret),
            by=by,
            expires_at=now + valid if valid else None,
        )
        self._append(f"key:{key_id}", fact, now, by)
        return self.get(key_id), f"{PREFIX}_{key_id}_{secret}"

    def revoke(self, key_id: str, by: str, reason: str = "", after: timedelta | None = None) -> Key:
        """End a key, at once or after some time. Raises NotFound."""
        self.get(key_id)
        now = self._clock.now()
        fact = KeyRevoked(key_id=key_id, at=now + (after or timedelta()), by=by, reason=reason)
        self._append(RandomIds().new(f"revoked:{key_id}"), fact, now, by)
        return self.get(key_id)

    def rotate(self, key_id: str, by: str, grace: timedelta) -> tuple[Key, str]:
        """Make a successor with the same name and scopes; the old key ends after the grace."""
        old = self.get(key_id)
        made = self.create(old.name, tuple(Scope(scope) for scope in old.scopes), by)
        self.revoke(key_id, by, f"rotated to {made[0].key_id}", grace)
        return made

    def get(self, key_id: str) -> Key:
        """Return one key. Raises NotFound."""
        with self._lock:
            self._read()
            if key_id not in self._keys:
                raise NotFound(f"no key {key_id!r}; `recoup keys list` shows them")
            return self._keys[key_id]

    def _append(self, fact_id: str, fact: KeyCreated | KeyRevoked, now: datetime, by: str) -> None:
        new = NewFact(fact_id=fact_id, fact=fact, occurred_at=now, actor=by)
        self._log.append(STREAM, [new])

    def _read(self) -> None:
        while entries := self._log.read_facts(self._position, _PAGE, _TYPES):
            self._keys = fold_keys(entries, self._keys)
            self._position = entries[-1].position
        self._read_at = time.monotonic()


def _hash(secret: str) -> str:
    # The secret is 32 random bytes: there is no dictionary to slow down.
    return hashlib.sha256(secret.encode()).hexdigest()
