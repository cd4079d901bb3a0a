"""Who people are: Slack users and page users mapped to Recoup's roles by settings."""

from collections.abc import Mapping

from recoup.domain.proposals import Person


class SettingsDirectory:
    """Knows the people named in the settings; everybody else has no role."""

    def __init__(self, people: Mapping[str, list[str]]) -> None:
        self._people = dict(people)

    def person(self, surface: str, external_id: str, name: str = "") -> Person:
        """Return the person behind a surface's user id; without roles when unknown."""
        roles = tuple(self._people.get(external_id, ()))
        return Person(id=f"{surface}:{external_id}", name=name or external_id, roles=roles)
