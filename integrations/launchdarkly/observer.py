"""Watches flags as a serving application sees them, through LaunchDarkly's own SDK."""

import asyncio
from typing import Any

from integrations.launchdarkly.settings import LaunchDarklySettings
from recoup.domain.errors import ConfigurationError, TransientVendorError

START_WITHIN_S = 5.0
LOOK_EVERY_S = 0.02


class FlagObserver:
    """Tells what a flag evaluates to for a client; open it before use, close it after."""

    def __init__(self, settings: LaunchDarklySettings) -> None:
        self._settings = settings
        self._client: Any = None

    async def open(self) -> None:
        """Connect. Raises ConfigurationError without a key, TransientVendorError if not ready."""
        if self._settings.sdk_key is None:
            raise ConfigurationError("set RECOUP_LAUNCHDARKLY_SDK_KEY to observe flags")
        key = self._settings.sdk_key.get_secret_value()
        self._client = await asyncio.to_thread(self._connect, key)
        if not self._client.is_initialized():
            await self.close()
            raise TransientVendorError("LaunchDarkly's SDK was not ready in time")

    async def close(self) -> None:
        """Disconnect; harmless when never opened."""
        client, self._client = self._client, None
        if client is not None:
            await asyncio.to_thread(client.close)

    def value(self, key: str, default: Any = None) -> Any:
        """Return what the flag serves to an anonymous client now."""
        from ldclient import Context

        if self._client is None:
            raise ConfigurationError("the observer is not open")
        context = Context.builder("recoup-observer").anonymous(True).build()
        return self._client.variation(key, context, default)

    async def wait_for(self, key: str, value: Any, within_s: float) -> bool:
        """Tell whether the flag comes to serve the value within the time."""
        try:
            async with asyncio.timeout(within_s):
                while self.value(key) != value:  # noqa: ASYNC110 - the SDK has no event to await
                    await asyncio.sleep(LOOK_EVERY_S)
        except TimeoutError:
            return False
        return True

    def _connect(self, key: str) -> Any:
        from ldclient.client import LDClient
        from ldclient.config import Config

        config = Config(
            key,
            base_uri=self._settings.sdk_uri,
            stream_uri=self._settings.stream_uri,
            send_events=False,
            diagnostic_opt_out=True,
            initial_reconnect_delay=0.2,
        )
        return LDClient(config, start_wait=START_WITHIN_S)
