"""Roles by Slack user group: who is in a group is asked of Slack, and remembered for a while."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from integrations.people.directory import SettingsDirectory
from integrations.people.settings import Member
from integrations.slack.client import web_client
from integrations.slack.settings import SlackSettings

FRESH_FOR_S = 300.0
STALE_AFTER_S = 3600.0
"""Roles by group are withdrawn when Slack could not be asked for this long."""
AGAIN_AFTER_S = 15.0
ANSWER_WITHIN_S = 5.0

_log = structlog.get_logger()


class SlackDirectory(SettingsDirectory):
    """A directory whose groups are kept in step with Slack's.

    A group that cannot be read keeps its members for an hour, then has none: a lost connection
    must not let somebody decide who left the group long ago.
    """

    def __init__(
        self,
        settings: SlackSettings,
        members: Mapping[str, Member],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(settings.people, members, settings.groups)
        self._settings = settings
        self._monotonic = monotonic
        self._read_at: dict[str, float] = {}
        self._ask_at = 0.0
        self._known: dict[str, frozenset[str]] = {}
        self._asking = asyncio.Lock()

    async def refresh(self) -> None:
        """Ask Slack who is in the groups, if what is known is five minutes old."""
        if not self.groups or self._monotonic() < self._ask_at:
            return
        async with self._asking:
            now = self._monotonic()
            if now < self._ask_at:
                return
            client = web_client(self._settings)
            done = [await self._read(client, group, now) for group in self.groups]
            self._ask_at = now + (FRESH_FOR_S if all(done) else AGAIN_AFTER_S)
            self.learn_memberships(
                {
                    group: members
                    for group, members in self._known.items()
                    if now - self._read_at[group] < STALE_AFTER_S
                }
            )

    async def _read(self, client: AsyncWebClient, group: str, now: float) -> bool:
        try:
            answer = await _within(client.usergroups_users_list(usergroup=group))
        except (SlackApiError, aiohttp.ClientError, OSError, TimeoutError) as error:
            _log.warning("slack.group_unread", group=group, reason=str(error)[:300])
            return False
        self._known[group] = frozenset(str(user) for user in answer.get("users", ()))
        self._read_at[group] = now
        return True


async def _within(asking: Awaitable[object]) -> Mapping[str, list[object]]:
    answer = await asyncio.wait_for(asking, ANSWER_WITHIN_S)
    data: Mapping[str, list[object]] = answer.data  # type: ignore[attr-defined] # an SDK answer
    return data
