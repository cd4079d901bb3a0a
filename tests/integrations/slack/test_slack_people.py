"""Roles by Slack user group: asked of Slack, remembered, and withdrawn when it cannot be asked."""

from starlette.responses import JSONResponse

from integrations.people.settings import Member
from integrations.slack.people import SlackDirectory
from recoup.demo.standins.slack import SlackStandIn
from tests.integrations.slack.conftest import settings_for


class Monotonic:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def directory(slack: SlackStandIn, clock: Monotonic) -> SlackDirectory:
    settings = settings_for(slack, people={}, groups={"S1": ["approver"]})
    return SlackDirectory(settings, {"anna": Member(slack="U1")}, monotonic=clock)


async def test_members_of_a_group_have_its_roles(slack: SlackStandIn) -> None:
    clock = Monotonic()
    found = directory(slack, clock)
    slack.groups["S1"] = ["U1", "U2"]
    assert found.person("slack", "U1").roles == ()
    await found.refresh()
    await found.refresh()
    assert slack.count("usergroups.users.list") == 1
    assert found.person("slack", "U1").roles == ("approver",)
    assert found.person("page", "anna").roles == ("approver",)
    slack.groups["S1"] = ["U2"]
    clock.now += 301
    await found.refresh()
    assert found.person("slack", "U1").roles == ()


async def test_slack_away_keeps_roles_for_an_hour_and_no_longer(slack: SlackStandIn) -> None:
    clock = Monotonic()
    found = directory(slack, clock)
    slack.groups["S1"] = ["U1"]
    await found.refresh()
    for later in (301, 3000, 400):
        clock.now += later
        slack.faults["usergroups.users.list"].append(JSONResponse({"ok": False, "error": "fatal"}))
        await found.refresh()
    assert found.person("slack", "U1").roles == ()
    clock.now += 20
    await found.refresh()
    assert found.person("slack", "U1").roles == ("approver",)


async def test_without_groups_nothing_is_asked(slack: SlackStandIn) -> None:
    found = SlackDirectory(settings_for(slack, people={"U1": ["viewer"]}), {})
    await found.refresh()
    assert slack.calls == []
    assert found.person("slack", "U1").roles == ("viewer",)
