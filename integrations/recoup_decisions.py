"""A client of Recoup's own API for decisions and labels, so that nobody needs a chat for them."""

from typing import Any

import httpx

from recoup.domain.errors import InvalidInput, NotAllowed, NotFound, TransientVendorError
from recoup.domain.proposals import DecisionAnswer, Proposal, Verdict

TIMEOUT_S = 30.0


class DecisionClient:
    """Reads the open proposal of an incident and hands a decision over."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}

    def open_proposal(self, incident_id: str) -> Proposal | None:
        """Return what is asked at this moment, or None when nothing is.

        Raises NotFound, NotAllowed, or TransientVendorError when Recoup cannot be reached.
        """
        incident = self._call("GET", f"/v1/incidents/{incident_id}")["incident"]
        if incident["status"] != "awaiting_approval" or incident["proposal"] is None:
            return None
        return Proposal.model_validate(incident["proposal"])

    def decide(
        self, incident_id: str, verdict: Verdict, proposal: Proposal | None, **more: Any
    ) -> DecisionAnswer:
        """Hand over a decision, bound to the proposal that was read; return the answer.

        ``request_id`` makes a repeat the same decision.
        """
        body: dict[str, Any] = {"verdict": verdict.value, **more}
        if proposal is not None:
            body |= {
                "proposal_id": proposal.proposal_id,
                "proposal_version": proposal.version,
                "nonce": proposal.nonce,
                "state_hash": proposal.state_hash,
            }
        answer = self._call("POST", f"/v1/incidents/{incident_id}/decision", body)
        return DecisionAnswer.model_validate(answer)

    def say(self, incident_id: str, label: str, reason: str) -> DecisionAnswer:
        """Say what an incident was; return the answer."""
        body = {"label": label, "reason": reason}
        answer = self._call("POST", f"/v1/incidents/{incident_id}/feedback", body)
        return DecisionAnswer.model_validate(answer)

    def take_back(self, incident_id: str, reason: str) -> DecisionAnswer:
        """Take back what was said of an incident. Raises InvalidInput where nothing was."""
        path = f"/v1/incidents/{incident_id}/feedback"
        answer = self._call("DELETE", path, query={"reason": reason})
        return DecisionAnswer.model_validate(answer)

    def _call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        query: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        try:
            answer = httpx.request(
                method,
                self._url + path,
                json=body,
                params=query,
                headers=self._headers,
                timeout=TIMEOUT_S,
            )
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise TransientVendorError(f"cannot reach Recoup at {self._url}: {error}") from error
        if answer.is_success:
            found: dict[str, Any] = answer.json()
            return found
        reason = _reason(answer)
        if answer.status_code == 404:
            raise NotFound(f"{reason}; see `recoup incidents list`")
        if answer.status_code in (401, 403):
            raise NotAllowed(f"{reason}; set RECOUP_KEY to a key that may decide")
        if answer.status_code >= 500 or answer.status_code == 429:
            raise TransientVendorError(f"Recoup answered {answer.status_code}: {reason}")
        raise InvalidInput(reason)


def _reason(answer: httpx.Response) -> str:
    try:
        problem = answer.json()
    except ValueError:
        return answer.text[:200] or f"status {answer.status_code}"
    return str(problem.get("detail") or problem) if isinstance(problem, dict) else str(problem)
