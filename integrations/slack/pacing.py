"""Slack takes about one message a second in a channel: calls take turns, redraws are joined."""

import asyncio
from collections.abc import Awaitable, Callable

from recoup.domain.errors import TransientVendorError
from recoup.domain.incident import Incident

Redraw = Callable[[Incident], Awaitable[None]]
MOST_CHANNELS = 1000


class Pacer:
    """Gives each channel its turns, ``gap_s`` apart, in the order in which they were asked for."""

    def __init__(self, gap_s: float) -> None:
        self._gap_s = gap_s
        self._free_at: dict[str, float] = {}

    async def turn(self, channel: str) -> None:
        """Wait for the channel's next turn."""
        now = asyncio.get_running_loop().time()
        if len(self._free_at) > MOST_CHANNELS:
            self._free_at = {name: at for name, at in self._free_at.items() if at > now}
        at = max(now, self._free_at.get(channel, now))
        self._free_at[channel] = at + self._gap_s
        if at > now:
            await asyncio.sleep(at - now)

    def hold(self, channel: str, seconds: float) -> None:
        """Let nobody have a turn for a while, because Slack asked for it."""
        until = asyncio.get_running_loop().time() + seconds
        self._free_at[channel] = max(until, self._free_at.get(channel, until))


class Redraws:
    """Joins the redraws of one message that wait for a turn: only the latest state is sent."""

    def __init__(self, pacer: Pacer) -> None:
        self._pacer = pacer
        self._waiting: dict[tuple[str, str], tuple[Incident, asyncio.Future[None]]] = {}

    async def redraw(self, channel: str, ts: str, incident: Incident, send: Redraw) -> None:
        """Send this state, or a later one that came while it waited; return when it is sent."""
        key = (channel, ts)
        waiting = self._waiting.get(key)
        if waiting is not None:
            latest, done = waiting
            if incident.version >= latest.version:
                self._waiting[key] = (incident, done)
            await asyncio.shield(done)
            return
        done = asyncio.get_running_loop().create_future()
        self._waiting[key] = (incident, done)
        try:
            await self._pacer.turn(channel)
            latest, _ = self._waiting.pop(key)
            await send(latest)
            done.set_result(None)
        except Exception as error:
            done.set_exception(error)
            raise
        finally:
            self._waiting.pop(key, None)
            if not done.done():
                done.set_exception(TransientVendorError("the redraw was interrupted"))
            done.exception()  # Read here: nobody else may be waiting for it.
