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

import numpy as np
from pydantic import SecretStr
from sqlalchemy import Connection, select

from recoup.domain.errors import ConfigurationError, StorageUnavailable
from store import tables as t
from store.database import directly

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_SIGNS = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz234567", dtype=np.uint8)
_PLACES = np.array([16, 8, 4, 2, 1], dtype=np.uint8)
HASH_BYTES = 15
"""How much of the keyed hash a pseudonym spells out."""
KEY_BYTES = 32
NONCE_BYTES = 12
CACHE_LIMIT = 100_000
SUBJECTS_AT_ONCE = 500
_FIND = "SELECT subject, sealed_key FROM subject_keys WHERE subject IN (?)"
_ADD = "INSERT INTO subject_keys (subject, pseudonym, sealed_key) VALUES (?, ?, ?)"


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
        self._naming: hmac.HMAC | None = None

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
        if self._naming is None:
            self._naming = hmac.new(self.read(), b"subject\0", "sha256")
        naming = self._naming.copy()  # Setting up the key takes longer than hashing a subject.
        naming.update(subject.encode())
        return naming.hexdigest()

    def seal(self, keys: list[bytes], names: Iterable[str]) -> list[bytes]:
        """Encrypt the keys of subjects, each tied to the name it is kept under."""
        encrypt = self._cipher().encrypt
        return [
            nonce + encrypt(nonce, key, name.encode())
            for nonce, key, name in zip(
                _random_parts(len(keys), NONCE_BYTES), keys, names, strict=True
            )
        ]

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

    def of(self, connection: Connection, subjects: set[str], erasures: int) -> dict[str, str]:
        """Return the pseudonyms of subjects, inside the transaction that appends their events.

        ``erasures`` is the log's count of erasures: after one of them by any process, nothing
        remembered here may be used any more.
        """
        if erasures != self._erasures or len(self._known) > CACHE_LIMIT:
            self.forget()
            self._erasures = erasures
        missing = subjects - self._known.keys()
        if missing:
            self._learn(connection, missing)
        return self._known

    def forget(self) -> None:
        """Drop what is remembered: after an erasure, and after a transaction that failed."""
        self._known.clear()

    def find(self, connection: Connection, subject: str) -> str | None:
        """Return the pseudonym of a subject, or None for one that is unknown or erased."""
        wanted = select(t.subject_keys.c.pseudonym).where(
            t.subject_keys.c.subject == self.master.lookup(subject)
        )
        return connection.execute(wanted).scalar()

    def _learn(self, connection: Connection, subjects: set[str]) -> None:
        lookup = self.master.lookup
        # In the order of the table's index, so that the database walks along it.
        names = dict(sorted([(lookup(subject), subject) for subject in subjects]))
        wanted = list(names)
        for start in range(0, len(wanted), SUBJECTS_AT_ONCE):
            part = tuple(wanted[start : start + SUBJECTS_AT_ONCE])
            found = directly(connection, _FIND.replace("?", ", ".join("?" * len(part))), part).all()
            # The stored pseudonym is derived anew: a wrong master key must not pass.
            keys = [self.master.open(bytes(row.sealed_key), row.subject) for row in found]
            again = [names.pop(row.subject) for row in found]
            self._known.update(zip(again, _pseudonyms(keys, again), strict=True))
        if names:
            self._make(connection, names)

    def _make(self, connection: Connection, names: dict[str, str]) -> None:
        """Make the keys of new subjects, given by the names under which they are kept."""
        keys = _random_parts(len(names), KEY_BYTES)
        pseudonyms = _pseudonyms(keys, names.values())
        rows = zip(names, pseudonyms, self.master.seal(keys, names), strict=True)
        directly(connection, _ADD, list(rows))
        self._known.update(zip(names.values(), pseudonyms, strict=True))


def _pseudonyms(keys: list[bytes], subjects: Iterable[str]) -> list[str]:
    """Return "p_" and, in small base 32, the keyed hash of each subject.

    All are spelled at once: one by one that takes longer than the hashing.
    """
    digest = hmac.digest
    hashes = [
        digest(key, subject.encode(), "sha256")[:HASH_BYTES]
        for key, subject in zip(keys, subjects, strict=True)
    ]
    bits = np.unpackbits(np.frombuffer(b"".join(hashes), dtype=np.uint8))
    text = _SIGNS[bits.reshape(-1, len(_PLACES)) @ _PLACES].tobytes().decode()
    length = HASH_BYTES * 8 // len(_PLACES)
    return ["p_" + text[start : start + length] for start in range(0, len(text), length)]


def _random_parts(count: int, size: int) -> list[bytes]:
    """Return secrets of one size each, asking the kernel only once."""
    found = secrets.token_bytes(count * size)
    return [found[start : start + size] for start in range(0, len(found), size)]


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
