"""One person is one id on every surface; roles come from settings and from groups of the chat."""

from integrations.people.directory import SettingsDirectory
from integrations.people.settings import Member

ANNA = Member(
    name="Anna",
    roles=("responder",),
    slack="U1",
    emails=("Anna@Shop.example",),
    logins=("anna-gh",),
)


def directory() -> SettingsDirectory:
    return SettingsDirectory({"U9": ["viewer"]}, {"anna": ANNA}, {"S1": ["approver"]})


def test_a_member_is_the_same_person_on_every_surface() -> None:
    found = directory()
    people = [
        found.person("slack", "U1", "anna.k"),
        found.person("page", "anna@shop.EXAMPLE"),
        found.person("api", "anna"),
        found.person("github", "anna-gh"),
    ]
    assert {person.id for person in people} == {"anna"}
    assert {person.roles for person in people} == {("responder",)}
    assert people[0].is_one_of(("anna@shop.example",))
    assert not people[0].is_one_of(("", "ben"))


def test_a_slack_id_given_on_another_surface_is_nobody() -> None:
    assert directory().person("page", "U1").roles == ()
    assert directory().person("page", "U9").roles == ()


def test_others_have_the_id_of_their_surface_and_only_the_roles_they_were_given() -> None:
    assert directory().person("slack", "U9").roles == ("viewer",)
    unknown = directory().person("slack", "U7", "Zoe")
    assert (unknown.id, unknown.name, unknown.roles) == ("slack:U7", "Zoe", ())


def test_a_group_adds_its_roles_while_somebody_is_in_it() -> None:
    found = directory()
    found.learn_memberships({"S1": frozenset({"U1", "U7"}), "S2": frozenset({"U9"})})
    assert found.person("slack", "U1").roles == ("responder", "approver")
    assert found.person("page", "anna").roles == ("responder", "approver")
    assert found.person("slack", "U7").roles == ("approver",)
    found.learn_memberships({})
    assert found.person("slack", "U7").roles == ()
