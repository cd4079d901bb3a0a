"""Who people are: one person is one id on every surface, so that nobody counts twice."""

from collections.abc import Mapping

from integrations.people.settings import Member
from recoup.domain.proposals import Person


class SettingsDirectory:
    """Knows the people named in the settings; everybody else has no role.

    ``slack_roles`` is the short form for Slack users who are no member. ``groups`` gives further
    roles to the members of chat groups; ``memberships`` says who is in which, and is brought up to
    date by whoever can ask the chat.
    """

    def __init__(
        self,
        slack_roles: Mapping[str, list[str]],
        members: Mapping[str, Member] | None = None,
        groups: Mapping[str, list[str]] | None = None,
    ) -> None:
        self._slack_roles = dict(slack_roles)
        self._members = dict(members or {})
        self._groups = dict(groups or {})
        self._by_name = {
            (surface, name): key
            for key, member in self._members.items()
            for surface, name in _names_of(member)
        }
        self._memberships: Mapping[str, frozenset[str]] = {}

    @property
    def groups(self) -> tuple[str, ...]:
        """The ids of the chat groups that give roles."""
        return tuple(self._groups)

    def learn_memberships(self, memberships: Mapping[str, frozenset[str]]) -> None:
        """Take over who is in which group; a group that is not named has no members."""
        self._memberships = memberships

    async def refresh(self) -> None:
        """Do nothing: settings do not change while a process runs."""

    def person(self, surface: str, external_id: str, name: str = "") -> Person:
        """Return the person behind a surface's user id, an e-mail address or a login.

        Somebody unknown gets an id of their surface and no role.
        """
        key = self._key_of(surface, external_id)
        member = self._members.get(key) if key else None
        slack_id = external_id if surface == "slack" else member.slack if member else ""
        roles = dict.fromkeys(member.roles if member else ())
        roles |= dict.fromkeys(self._slack_roles.get(slack_id, ()) if slack_id else ())
        for group, given in self._groups.items():
            if slack_id and slack_id in self._memberships.get(group, ()):
                roles |= dict.fromkeys(given)
        if member is None or key is None:
            shown = name or external_id
            return Person(id=f"{surface}:{external_id}", name=shown, roles=tuple(roles))
        known_as = {alias for _, alias in _names_of(member)} - {key}
        return Person(
            id=key,
            name=member.name or name or key,
            roles=tuple(roles),
            known_as=tuple(sorted(known_as)),
        )

    def _key_of(self, surface: str, external_id: str) -> str | None:
        if surface == "slack":
            return self._by_name.get(("slack", external_id))
        if external_id in self._members:
            return external_id
        return self._by_name.get(("", external_id.casefold()))


def _names_of(member: Member) -> list[tuple[str, str]]:
    names = [("", alias.casefold()) for alias in (*member.emails, *member.logins)]
    return [*names, ("slack", member.slack)] if member.slack else names
