"""``recoup decide``: what the buttons in the chat do, from the command line."""

from typing import TYPE_CHECKING, Annotated

import typer

from recoup.cli._shared import HERE, ApiKey, AsJson, Url, show_fields, show_json
from recoup.domain.errors import InvalidInput, StaleProposal
from recoup.domain.proposals import Verdict

if TYPE_CHECKING:
    from recoup.domain.proposals import Proposal

_NEED_PROPOSAL = (Verdict.APPROVE, Verdict.REJECT, Verdict.OTHER_PLAYBOOK, Verdict.SNOOZE)
_NEED_REASON = (Verdict.REJECT, Verdict.FALSE_POSITIVE)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(decide)


def decide(
    incident_id: Annotated[str, typer.Argument(help="The incident's id, inc_...")],
    verdict: Annotated[Verdict, typer.Argument(help="What you say.")],
    reason: Annotated[str, typer.Option(help="Why; for reject and false_positive.")] = "",
    playbook: Annotated[str, typer.Option(help="Which one; for other_playbook.")] = "",
    minutes: Annotated[int, typer.Option(help="How long; for snooze.", min=1, max=240)] = 30,
    proposal: Annotated[
        int, typer.Option(help="Only if this is the proposal that is open; 0 takes any.")
    ] = 0,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before approving.")] = False,
    url: Url = HERE,
    key: ApiKey = "",
    as_json: AsJson = False,
) -> None:
    """Approve, reject, ask for another playbook, acknowledge, snooze, or call it a false positive.

    The same rules hold as for the buttons: your key's roles, the quorum, the version, the end.
    Exit code 1 when the decision was refused.

    Example: recoup decide inc_0123456789abcdef0123 approve --proposal 1
    """
    from integrations.recoup_decisions import DecisionClient
    from recoup.domain.ids import RandomIds

    _check_words(verdict, reason, playbook)
    client = DecisionClient(url, key)
    found = client.open_proposal(incident_id)
    if found is None and verdict in _NEED_PROPOSAL:
        raise StaleProposal(f"{incident_id} asks nothing at this moment; nothing was decided")
    if found is not None and proposal and found.version != proposal:
        raise StaleProposal(f"proposal {found.version} is open, not {proposal}; look at it first")
    if found is not None and verdict is Verdict.APPROVE and not (yes or as_json):
        _confirm(found)
    answer = client.decide(
        incident_id,
        verdict,
        found,
        reason=reason,
        playbook=playbook,
        snooze_s=minutes * 60 if verdict is Verdict.SNOOZE else 0,
        request_id=RandomIds().new("req"),
    )
    if as_json:
        show_json(answer)
    else:
        print(answer.text)
    if not answer.accepted:
        raise typer.Exit(1)


def _check_words(verdict: Verdict, reason: str, playbook: str) -> None:
    if verdict in _NEED_REASON and not reason.strip():
        raise InvalidInput(f"say why: --reason is needed for {verdict.value}")
    if verdict is Verdict.OTHER_PLAYBOOK and not playbook:
        raise InvalidInput("say which one: --playbook is needed for other_playbook")


def _confirm(proposal: "Proposal") -> None:
    show_fields(
        {
            "proposal": f"{proposal.version}: {proposal.title}",
            "why": proposal.reason,
            "does": "; ".join(each.summary for each in proposal.previews) or "nothing by itself",
            "touches": "; ".join(each.touched for each in proposal.previews if each.touched),
            "risk": proposal.risk,
            "until": f"{proposal.expires_at:%F %T} UTC",
        }
    )
    typer.confirm("Carry it out?", abort=True)
