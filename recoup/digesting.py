"""Sending the digest of a week: to a channel of the chat, by mail, or both."""

import asyncio

from integrations.email.client import send
from integrations.email.settings import EmailSettings
from integrations.slack.client import SlackNotifier
from recoup.domain.errors import ConfigurationError
from recoup.domain.ids import derive_id
from recoup.reporting import Digest, week_from
from recoup.settings import Settings
from store.opening import Store

READ = 5000


class Digests:
    """The digest and the ways it goes; what is not set up is no way."""

    def __init__(
        self, settings: Settings, store: Store, slack: SlackNotifier | None, mail: EmailSettings
    ) -> None:
        self._settings, self._store = settings, store
        self._slack, self._mail = slack, mail

    @property
    def ways(self) -> tuple[str, ...]:
        """The ways that are set up."""
        wanted = self._settings.digest
        found = {
            "slack": wanted.slack and self._slack is not None,
            "email": bool(wanted.email_to) and self._mail.can_send,
        }
        return tuple(way for way, there in found.items() if there)

    async def send(self, way: str, week: str) -> str:
        """Send the digest of a week one way; return where it went."""
        if way not in self.ways:
            raise ConfigurationError(f"the digest has no way {way!r}; see RECOUP_DIGEST__...")
        made = await asyncio.to_thread(self.make, week)
        return await (self._to_slack(made) if way == "slack" else self._by_mail(made))

    def make(self, week: str) -> Digest:
        """Return the digest of a week from the log. Raises InvalidInput."""
        now = self._store.clock.now()
        start = week_from(week, now)
        incidents = self._store.incidents.list(limit=READ)
        return Digest(incidents, start, now, self._settings.currency, self._settings.public_url)

    async def _to_slack(self, made: Digest) -> str:
        assert self._slack is not None
        message, channel = made.slack(), self._settings.digest.slack_channel
        await self._slack.say(channel, message["text"], message["blocks"])
        return f"Slack, {channel or 'the channel of incidents'}"

    async def _by_mail(self, made: Digest) -> str:
        to = self._settings.digest.email_to
        mail = made.email(self._mail.sender, to)
        domain = self._mail.sender.rpartition("@")[2] or "recoup"
        # The same week has the same id, so that a digest sent twice is shown once.
        mail["Message-ID"] = f"<{derive_id('digest', made.week.isoformat())}@{domain}>"
        mail["Auto-Submitted"] = "auto-generated"
        await asyncio.to_thread(send, self._mail, mail)
        return f"mail to {', '.join(to)}"
