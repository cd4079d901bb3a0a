"""The composition root: the only place where ports meet vendors and databases."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from integrations.argo.client import ArgoReleases
from integrations.argo.settings import ArgoSettings
from integrations.campaigns import AdPlatform, Campaigns
from integrations.email.client import EmailPager
from integrations.email.settings import EmailSettings
from integrations.github.client import GitHubReleases
from integrations.github.settings import GitHubSettings
from integrations.gitlab.client import GitLabReleases
from integrations.gitlab.settings import GitLabSettings
from integrations.google_ads.client import GoogleCampaigns
from integrations.google_ads.settings import GoogleAdsSettings
from integrations.http import VendorHttp, make_client
from integrations.inbound import Reader, readers
from integrations.launchdarkly.client import LaunchDarklyFlags
from integrations.launchdarkly.settings import LaunchDarklySettings
from integrations.meta_ads.client import MetaCampaigns
from integrations.meta_ads.settings import MetaAdsSettings
from integrations.oidc.settings import OidcSettings
from integrations.pagerduty.client import PagerDutyPager
from integrations.pagerduty.settings import PagerDutySettings
from integrations.pagers import EveryPager
from integrations.people.settings import PeopleSettings
from integrations.quiet import QuietNotifier, QuietPager
from integrations.releases import Releases
from integrations.slack.client import SlackNotifier
from integrations.slack.people import SlackDirectory
from integrations.slack.settings import SlackSettings
from integrations.tiktok_ads.client import TikTokCampaigns
from integrations.tiktok_ads.settings import TikTokAdsSettings
from integrations.webhook.client import SignedWebhooks
from integrations.webhook.settings import WebhookSettings
from recoup.digesting import Digests
from recoup.domain.clock import Clock
from recoup.domain.ids import IdSource, RandomIds
from recoup.domain.incident import Incident
from recoup.domain.ports import (
    CampaignControl,
    DecisionDesk,
    Directory,
    FlagControl,
    IdentityProvider,
    Notifier,
    Pager,
    ReleaseControl,
    WebhookControl,
    WeeklyDigest,
)
from recoup.settings import Settings
from store.opening import Store, open_from


@dataclass(frozen=True)
class App:
    """Everything that a role needs, joined; every part can be replaced by keyword in ``build``."""

    settings: Settings
    clock: Clock
    ids: IdSource
    store: Store
    notifier: Notifier
    pager: Pager
    flags: FlagControl
    campaigns: CampaignControl
    webhooks: WebhookControl
    releases: ReleaseControl
    directory: Directory
    change_readers: Mapping[str, Reader]
    """Inbound webhooks by vendor: headers (lower case) and raw body to what they tell."""
    digests: WeeklyDigest
    http: VendorHttp
    """The connections to vendors; whoever ends an event loop before the process closes them."""
    provider: IdentityProvider | None = None
    """Where people sign in, when there is such a place."""


def build(settings: Settings, **overrides: Any) -> App:
    """Join the application; raises ConfigurationError or StorageUnavailable."""
    clock: Clock = overrides.get("clock") or settings.clock.clock()
    http = make_client()
    slack = settings.section(SlackSettings)
    launchdarkly = settings.section(LaunchDarklySettings)
    url = settings.public_url or f"http://{settings.host}:{settings.port}"
    store: Store = overrides.get("store") or open_from(settings, clock)
    chat = _chat(settings, store, url)
    app = App(
        settings=settings,
        clock=clock,
        ids=RandomIds(),
        store=store,
        notifier=chat or QuietNotifier(),
        pager=_pager(settings, http, url),
        flags=LaunchDarklyFlags(launchdarkly, http),
        campaigns=_campaigns(settings, http),
        webhooks=SignedWebhooks(settings.section(WebhookSettings), http),
        releases=_releases(settings, http),
        directory=SlackDirectory(slack, settings.section(PeopleSettings).members),
        change_readers=readers(settings, clock),
        digests=Digests(settings, store, chat, settings.section(EmailSettings)),
        http=http,
    )
    app = replace(app, **overrides)
    return app if app.provider else replace(app, provider=_provider(settings, app.directory))


def _chat(settings: Settings, store: Store, url: str) -> SlackNotifier | None:
    slack = settings.section(SlackSettings)
    if not slack.configured:
        return None
    return SlackNotifier(slack, url, partial(_chart, store) if slack.charts else None)


def _provider(settings: Settings, directory: Directory) -> IdentityProvider | None:
    oidc = settings.section(OidcSettings)
    if not oidc.issuer:
        return None
    from integrations.oidc.client import OidcProvider

    return OidcProvider(oidc, directory)


def _campaigns(settings: Settings, http: VendorHttp) -> CampaignControl:
    """Join the ad platforms that are configured."""
    meta = settings.section(MetaAdsSettings)
    google = settings.section(GoogleAdsSettings)
    tiktok = settings.section(TikTokAdsSettings)
    platforms: dict[str, AdPlatform] = {}
    if meta.access_token:
        platforms["meta"] = MetaCampaigns(meta, http)
    if google.configured:
        platforms["google"] = GoogleCampaigns(google, http)
    if tiktok.configured:
        platforms["tiktok"] = TikTokCampaigns(tiktok, http)
    return Campaigns(platforms)


def _releases(settings: Settings, http: VendorHttp) -> ReleaseControl:
    """Join the deploying platforms that are configured."""
    github = settings.section(GitHubSettings)
    gitlab = settings.section(GitLabSettings)
    argo = settings.section(ArgoSettings)
    platforms: dict[str, ReleaseControl] = {}
    if github.token:
        platforms["github"] = GitHubReleases(github, http)
    if gitlab.token:
        platforms["gitlab"] = GitLabReleases(gitlab, http)
    if argo.base_url:
        platforms["argo"] = ArgoReleases(argo, http)
    return Releases(platforms)


def _pager(settings: Settings, http: VendorHttp, url: str) -> Pager:
    """Join every way to wake people that is configured."""
    pagerduty, mail = settings.section(PagerDutySettings), settings.section(EmailSettings)
    ways: list[Pager] = []
    if pagerduty.routing_key:
        ways.append(PagerDutyPager(pagerduty, http))
    if mail.configured:
        ways.append(EmailPager(mail, url))
    return EveryPager(ways) if ways else QuietPager()


def _chart(store: Store, incident: Incident) -> bytes | None:
    """Draw an incident's chart as PNG, if the detector has left evidence of it."""
    record = store.evidence.get(incident.id)
    if record is None:
        return None
    from detectors.evidence import from_bytes
    from recoup.charts import draw

    return draw(incident, from_bytes(record.payload), "png")


@dataclass(frozen=True)
class SlackEntrance:
    """How Slack comes in: a handler for ``/slack/events``, a socket to keep open, or both."""

    handler: Any = None
    socket: Callable[[], AbstractAsyncContextManager[None]] | None = None


def build_slack(app: App, desk: DecisionDesk) -> SlackEntrance:
    """Return the entrance for Slack; empty when Slack is not configured.

    Without a signing secret nothing is taken over HTTP, since nothing could be verified.
    """
    slack = app.settings.section(SlackSettings)
    if not slack.configured:
        return SlackEntrance()
    from integrations.slack.app import build_bolt, http_handler, socket_mode
    from integrations.slack.house import House
    from recoup.labels import Labels

    settings = app.settings
    house = House(
        desk=desk,
        directory=app.directory,
        clock=app.clock,
        incidents=app.store.incidents,
        changes=app.store.changes,
        log=app.store,
        notifier=app.notifier,
        public_url=settings.public_url or f"http://{settings.host}:{settings.port}",
        foresee=Labels(app.store).sentence,
    )
    bolt = build_bolt(slack, house)
    return SlackEntrance(
        handler=http_handler(bolt) if slack.signing_secret else None,
        socket=partial(socket_mode, slack, bolt) if slack.app_token else None,
    )
