"""What Recoup needs to know of your LaunchDarkly account."""

from typing import ClassVar

from pydantic import Field, SecretStr

from recoup.settings import Section


class LaunchDarklySettings(Section):
    """Flags are read and switched through REST; webhooks tell what others switch."""

    section_name: ClassVar[str] = "launchdarkly"

    base_uri: str = Field(
        default="https://app.launchdarkly.com", description="the REST API; another for EU, federal"
    )
    api_token: SecretStr | None = Field(
        default=None, description="an access token that may write flags of the environment"
    )
    project: str = Field(default="default", description="key of the project that Recoup may touch")
    environment: str = Field(default="production", description="key of the environment")
    webhook_secret: SecretStr | None = Field(
        default=None, description="the secret that signs webhooks to /hooks/launchdarkly"
    )
    sdk_key: SecretStr | None = Field(
        default=None, description="server-side SDK key, to see a flip reach a serving client"
    )
    stream_uri: str = Field(
        default="https://stream.launchdarkly.com", description="where the SDK streams flags from"
    )
    sdk_uri: str = Field(
        default="https://sdk.launchdarkly.com", description="where the SDK polls flags"
    )

    @property
    def configured(self) -> bool:
        """Whether flags can be read and switched."""
        return self.api_token is not None
