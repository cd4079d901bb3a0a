"""The error tree, split by who can act.

::

    RecoupError
    ├── ConfigurationError        the operator: a setting is missing or wrong
    ├── InvalidInput              the caller: what was sent cannot be accepted
    │   └── PlaybookInvalid       the author of a playbook: carries file and line
    ├── NotFound                  the caller: no such incident, change, playbook, ...
    ├── Conflict                  the caller may read again and retry
    │   ├── VersionConflict       somebody else appended to the stream first
    │   ├── StaleProposal         the proposal was replaced or decided meanwhile
    │   ├── StateMoved            the target of an action is no longer as recorded
    │   └── ContentConflict       the same id came before with other content
    ├── NotAllowed                the caller is nobody we know, or the signature is not valid
    │   └── MissingRight          we know the caller, who lacks the role or the scope
    ├── TooMany                   the caller may come back after ``retry_after_s``
    ├── LogDamaged                the operator: a block or the hash chain does not verify
    ├── StorageUnavailable        the operator: disk full, read only, database unreachable
    └── VendorError               the other side of an integration
        ├── TransientVendorError  worth another try, maybe after ``retry_after_s``
        ├── VendorRefused         will not work by trying again (4xx, an error in the answer)
        └── VendorNeedsApproval   the vendor's own approval has to be given first
"""


class RecoupError(Exception):
    """Anything that Recoup itself raises on purpose."""


class ConfigurationError(RecoupError):
    """A setting is missing or wrong; the text says which and what to do."""


class InvalidInput(RecoupError):
    """What was sent cannot be accepted; the text names the field and the reason."""


class PlaybookInvalid(InvalidInput):
    """A playbook cannot be used; carries where, and what would be right."""

    def __init__(self, message: str, *, file: str, line: int, suggestion: str = "") -> None:
        self.message, self.file, self.line, self.suggestion = message, file, line, suggestion
        hint = f" ({suggestion})" if suggestion else ""
        super().__init__(f"{file}:{line}: {message}{hint}")


class NotFound(RecoupError):
    """There is no such thing."""


class Conflict(RecoupError):
    """The world is not as the caller believed."""


class VersionConflict(Conflict):
    """A stream has another version than the one the writer expected."""


class StaleProposal(Conflict):
    """The proposal was replaced, decided or has expired."""


class StateMoved(Conflict):
    """The target of an action is no longer in the state that was recorded."""


class ContentConflict(Conflict):
    """An id was seen before, with other content."""


class NotAllowed(RecoupError):
    """The caller lacks the role, scope or signature for this."""


class MissingRight(NotAllowed):
    """The caller is known but lacks the role or the scope for this."""


class TooMany(RecoupError):
    """The caller came too often; ``retry_after_s`` says when it may come again."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class LogDamaged(RecoupError):
    """A stored block or the chain of facts does not verify."""


class StorageUnavailable(RecoupError):
    """The store cannot be written or read now; nothing was acknowledged."""


class VendorError(RecoupError):
    """The other side of an integration failed or refused."""


class TransientVendorError(VendorError):
    """Worth another try; ``retry_after_s`` is the vendor's wish, if it gave one."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class VendorRefused(VendorError):
    """Trying again will not help; ``kind`` names the refusal for the workflow's decisions."""

    def __init__(self, message: str, kind: str = "refused") -> None:
        super().__init__(message)
        self.kind = kind


class VendorNeedsApproval(VendorRefused):
    """The vendor wants an approval of its own before it acts."""

    def __init__(self, message: str) -> None:
        super().__init__(message, kind="needs_approval")
