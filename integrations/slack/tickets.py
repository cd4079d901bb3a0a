"""What a button carries: which proposal it belongs to, its single-use nonce, and the state's hash.

It is an id, not a copy of the state: whoever takes the click asks the workflow what holds now.
"""

from dataclasses import dataclass

from recoup.domain.incident import Incident, Status

LONGEST = 255
"""Slack's limit for a block's id, where the ticket of a menu travels."""
_SEPARATOR = "|"


class NotATicket(ValueError):
    """The button was made by something else, or by a version that is no longer understood."""


@dataclass(frozen=True)
class Ticket:
    """Binds a click to one proposal of an incident; without one it is about the incident."""

    incident_id: str
    proposal_id: str = ""
    version: int = 0
    nonce: str = ""
    state_hash: str = ""

    @classmethod
    def of(cls, incident: Incident) -> "Ticket":
        """Return the ticket for what the incident's message asks at this moment."""
        proposal = incident.proposal
        if proposal is None or incident.status is not Status.AWAITING_APPROVAL:
            return cls(incident.id)
        return cls(
            incident.id,
            proposal.proposal_id,
            proposal.version,
            proposal.nonce,
            proposal.state_hash,
        )

    def write(self) -> str:
        """Return the text that a button carries."""
        parts = (self.incident_id, self.proposal_id, str(self.version), self.nonce, self.state_hash)
        return _SEPARATOR.join(parts)

    @property
    def fits(self) -> bool:
        """Whether Slack would carry it unharmed."""
        parts = (self.incident_id, self.proposal_id, self.nonce, self.state_hash)
        if not self.incident_id or self.version >= 10**9:
            return False
        return len(self.write()) <= LONGEST and not any(_SEPARATOR in part for part in parts)

    @classmethod
    def read(cls, text: str) -> "Ticket":
        """Return the ticket in a click. Raises NotATicket."""
        parts = text.split(_SEPARATOR)
        if len(parts) == 4:
            parts.append("")  # Cards drawn by 0.1 carry no hash; version and nonce bind them.
        if len(parts) != 5 or not parts[0] or not parts[2].isascii() or not parts[2].isdigit():
            raise NotATicket(text[:80])
        incident_id, proposal_id, version, nonce, state_hash = parts
        return cls(incident_id, proposal_id, int(version[:9]), nonce, state_hash)
