"""Pseudonyms: what stands in the log in place of a person, and how a person is forgotten.

Each subject has a random key of their own; the pseudonym is the keyed hash of the subject. The
keys lie encrypted by the master key in a table of their own. Deleting a subject's key cuts the
only tie between the person and their events; not a byte of the log changes.
"""

import base64
import binascii
import hmac
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr
from sqlalchemy import Connection, select

from recoup.domain.errors import ConfigurationError, StorageUnavailable
from store import tables as t

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_SIGNS = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = [one + two for one in _SIGNS for two in _SIGNS]
"""Base 32, two signs at a time: half of what the library takes for each new person."""
KEY_BYTES = 32
NONCE_BYTES = 12
CACHE_LIMIT = 100_000


@dataclass(frozen=True)
class Privacy:
    """What is known of people, and how it is protected; see ``recoup.settings``."""

    master_key: SecretStr | None = None
    pseudonymised_props: tuple[str, ...] = ()
    kept_props: dict[str, tuple[str, ...]] = field(default_factory=dict)


class MasterKey:
    """Seals the keys of subjects. Where no key is set, SQLite keeps one in a file of its own."""

    def __init__(self, given: SecretStr | None, key_file: Path | None) -> None:
        self._given = given
        self._key_file = key_file
        self._key: bytes | None = None
        self._sealing: AESGCM | None = None

    def read(self) -> bytes:
        """Return the key. Raises ConfigurationError when there is none, or it is malformed."""
        if self._key is None:
            self._key = self._find()
        return self._key

    def _find(self) -> bytes:
        if self._given is not None:
            return _decoded(self._given.get_secret_value(), "RECOUP_MASTER_KEY")
        if self._key_file is None:
            raise ConfigurationError(
                "events that name a user need RECOUP_MASTER_KEY (base64 of 32 bytes) on PostgreSQL"
            )
        try:
            return _decoded(_key_in(self._key_file), str(self._key_file))
        except OSError as error:
            raise StorageUnavailable(f"cannot keep {self._key_file}: {error.strerror}") from error

    def lookup(self, subject: str) -> str:
        """Return the name under which a subject's key is kept; it does not tell who it is."""
        return hmac.digest(self.read(), b"subject\0" + subject.encode(), "sha256").hex()

    def seal(self, key: bytes, name: str) -> bytes:
        """Encrypt a subject's key."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher().encrypt(nonce, key, name.encode())

    def open(self, sealed: bytes, name: str) -> bytes:
        """Decrypt a subject's key. Raises ConfigurationError under another master key."""
        from cryptography.exceptions import InvalidTag

        try:
            return self._cipher().decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], name.encode())
        except InvalidTag as error:
            raise ConfigurationError("subject keys were sealed by another master key") from error

    def _cipher(self) -> "AESGCM":
        if self._sealing is None:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM

            self._sealing = AESGCM(self.read())
        return self._sealing


class Pseudonyms:
    """Knows the pseudonym of each subject, and makes one for a subject it meets first."""

    def __init__(self, master: MasterKey) -> None:
        self.master = master
        self._known: dict[str, str] = {}
        self._erasures = -1

    def of(self, connection: Connection, subjects: Iterable[str], erasures: int) -> dict[str, str]:
        """Return the pseudonyms of subjects, inside the transaction that appends their events.

        ``erasures`` is the log's count of erasures: after one of them by any process, nothing
        remembered here may be used any more.
        """
        if erasures != self._erasures or len(self._known) > CACHE_LIMIT:
            self.forget()
            self._erasures = erasures
        known = self._known
        missing = sorted({subject for subject in subjects if subject not in known})
        if missing:
            self._learn(connection, missing)
        return known

    def forget(self) -> None:
        """Drop what is remembered: after an erasure, and after a transaction that failed."""
        self._known.clear()

    def find(self, connection: Connection, subject: str) -> str | None:
        """Return the pseudonym of a subject, or None for one that is unknown or erased."""
        wanted = select(t.subject_keys.c.pseudonym).where(
            t.subject_keys.c.subject == self.master.lookup(subject)
        )
        return connection.execute(wanted).scalar()

    def _learn(self, connection: Connection, subjects: list[str]) -> None:
        names = {self.master.lookup(subject): subject for subject in subjects}
        wanted = list(names)
        for start in range(0, len(wanted), 500):
            part = t.subject_keys.c.subject.in_(wanted[start : start + 500])
            for row in connection.execute(select(t.subject_keys).where(part)):
                # The stored pseudonym is derived anew: a wrong master key must not pass.
                subject = names.pop(row.subject)
                key = self.master.open(bytes(row.sealed_key), row.subject)
                self._known[subject] = _pseudonym(key, subject)
        rows = []
        for name, subject in names.items():
            key = secrets.token_bytes(KEY_BYTES)
            self._known[subject] = _pseudonym(key, subject)
            rows.append(
                {
                    "subject": name,
                    "pseudonym": self._known[subject],
                    "sealed_key": self.master.seal(key, name),
                }
            )
        if rows:
            connection.execute(t.subject_keys.insert(), rows)


def _pseudonym(key: bytes, subject: str) -> str:
    digest = hmac.digest(key, subject.encode(), "sha256")
    bits = int.from_bytes(digest[:15], "big")
    return "p_" + "".join([_PAIRS[bits >> shift & 1023] for shift in range(110, -1, -10)])


def _decoded(text: str, where: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ConfigurationError(f"{where} is not base64") from error
    if len(key) != KEY_BYTES:
        raise ConfigurationError(f"{where} must be base64 of {KEY_BYTES} bytes")
    return key


def _key_in(path: Path) -> str:
    """Return what the key file holds; make the file when it is missing, whole or not at all."""
    if path.exists():
        return path.read_text()
    made = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as handle:
        handle.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode() + "\n")
        handle.flush()
        os.fsync(handle.fileno())
    try:
        os.link(made, path)  # refuses to replace: of two that start together one wins
    except FileExistsError:
        pass
    finally:
        made.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return path.read_text()
