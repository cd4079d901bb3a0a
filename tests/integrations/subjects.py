"""Every vendor's client as a subject: its stand-in, and one write that can be counted."""

import base64
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import httpx
from pydantic import SecretStr

from integrations.argo.client import ArgoReleases
from integrations.argo.settings import ArgoSettings
from integrations.campaigns import AdPlatform, Campaigns
from integrations.github.client import GitHubReleases
from integrations.github.settings import GitHubSettings
from integrations.gitlab.client import GitLabReleases
from integrations.gitlab.settings import GitLabSettings
from integrations.google_ads.client import GoogleCampaigns
from integrations.google_ads.settings import GoogleAdsSettings
from integrations.http import VendorHttp
from integrations.launchdarkly.client import LaunchDarklyFlags
from integrations.launchdarkly.settings import LaunchDarklySettings
from integrations.meta_ads.client import MetaCampaigns
from integrations.meta_ads.settings import MetaAdsSettings
from integrations.pagerduty.client import PagerDutyPager
from integrations.pagerduty.settings import PagerDutySettings
from integrations.releases import Releases
from integrations.tiktok_ads.client import TikTokCampaigns
from integrations.tiktok_ads.settings import TikTokAdsSettings
from integrations.webhook.client import SignedWebhooks
from integrations.webhook.settings import WebhookSettings
from recoup.demo.standins.ads import (
    GOOGLE_CUSTOMER,
    TIKTOK_ADVERTISER,
    TOKEN,
    AdsStandIn,
    GoogleAdsStandIn,
    TikTokAdsStandIn,
)
from recoup.demo.standins.deploying import ArgoStandIn, GitHubStandIn, GitLabStandIn
from recoup.demo.standins.launchdarkly import LaunchDarklyStandIn
from recoup.demo.standins.misbehaving import Misbehaving
from recoup.demo.standins.receiving import PagerDutyStandIn, WebhookStandIn
from recoup.demo.standins.running import Running
from recoup.domain.ports import ReleaseControl, ReleasePlace
from tests.workflows.ports import INCIDENT, MemoryLog

WEBHOOK_SECRET = "whsec_" + base64.b64encode(b"recoup-tests-webhook-secret-32b!").decode()
KEY = "act_1"


class FastTime:
    """Real time in which a sleep takes none: the clock jumps instead, and remembers.

    ``pace_s`` goes by with each look at it, for who waits elsewhere (a skipping Temporal server).
    """

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.pace_s = 0.0

    def now(self) -> datetime:
        if self.pace_s:
            self.slept.append(self.pace_s)
        return datetime.now(UTC) + timedelta(seconds=sum(self.slept))  # noqa: TID251

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@dataclass
class Subject:
    """One client before its stand-in; ``write`` does what an action would, under one key.

    ``write`` takes whether an earlier attempt may have reached the vendor. ``done`` and ``effects``
    look at the stand-in itself: is it so, and how often was it brought about?
    """

    name: str
    proxy: Misbehaving
    time: FastTime
    read: Callable[[], Awaitable[Any]]
    write: Callable[[bool], Awaitable[Any]]
    done: Callable[[], bool]
    effects: Callable[[], int]
    error_200: Any
    interfere: Callable[[], None] | None = None
    write_path: str = ""
    renews: bool = False
    secret: str = TOKEN
    extra: dict[str, Any] = field(default_factory=dict)


Start = Callable[[ExitStack, FastTime, VendorHttp], Subject]


class Host:
    """One server for all stand-ins, one after the other: starting one for each test is slow."""

    def __init__(self) -> None:
        self.app: Any = None
        self.running = Running(self)
        self.running.__enter__()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await self.app(scope, receive, send)


@cache
def host() -> Host:
    return Host()


def proxied(stack: ExitStack, app: Any) -> Misbehaving:
    host().app = app
    return stack.enter_context(Misbehaving(host().running.url))


def launchdarkly(stack: ExitStack, time: FastTime, http: VendorHttp, aspect: str) -> Subject:
    vendor = LaunchDarklyStandIn("shop", "production", "s", time.now)
    vendor.add("new_payment", on=True, variations=("provider_a", "provider_b"), serving=1)
    proxy = proxied(stack, vendor.app)
    settings = LaunchDarklySettings(
        base_uri=proxy.url, api_token=SecretStr(TOKEN), project="shop", environment="production"
    )
    client = LaunchDarklyFlags(settings, http)
    first: list[Any] = []

    async def read() -> Any:
        return await client.read("shop", "production", "new_payment")

    async def write(repeat: bool) -> Any:
        state = await read()
        first.append(state)
        before = first[0]
        if repeat and state.version != before.version:
            return state  # As the action does: it is so already.
        if aspect == "on":
            return await client.switch(before, on=False, comment="c", idempotency_key=KEY)
        wanted = {"value": "provider_a"}
        return await client.serve(before, serving=wanted, comment="c", idempotency_key=KEY)

    def done() -> bool:
        if aspect == "on":
            return not vendor.is_on("new_payment")
        return bool(vendor.serves("new_payment") == "provider_a")

    return Subject(
        name=f"launchdarkly_{aspect}",
        proxy=proxy,
        time=time,
        read=read,
        write=write,
        done=done,
        effects=lambda: vendor.version("new_payment") - 1,
        error_200={"code": "internal", "message": "an error in a 200"},
        interfere=lambda: vendor.touch("new_payment"),
        extra={"client": client, "vendor": vendor, "port": ("flags", client)},
    )


def campaigns(
    stack: ExitStack,
    time: FastTime,
    name: str,
    make: Callable[[str], AdPlatform],
    vendor: Any,
    error_200: Any,
) -> Subject:
    proxy = proxied(stack, vendor.app)
    control = Campaigns({name: make(proxy.url)})
    field_name = {"tiktok": "operation_status"}.get(name, "status")
    paused = {"tiktok": "DISABLE"}.get(name, "PAUSED")
    path = {"google": "campaigns:mutate", "tiktok": "status/update"}.get(name, "/120")
    first: list[Any] = []

    async def read() -> Any:
        return await control.read("120", name)

    async def write(repeat: bool) -> Any:
        state = await read()
        first.append(state)
        return await control.set_active(
            state if repeat else first[0], active=False, idempotency_key=KEY
        )

    return Subject(
        name=name,
        proxy=proxy,
        time=time,
        read=read,
        write=write,
        done=lambda: vendor.campaigns["120"][field_name] == paused,
        effects=lambda: len(proxy.writes(path)),
        error_200=error_200,
        write_path=path,
        renews=name == "google",
        secret="dev" if name == "google" else TOKEN,
        extra={
            "vendor": vendor,
            "control": control,
            "status": field_name,
            "paused": paused,
            "port": ("campaigns", control),
        },
    )


def meta(stack: ExitStack, time: FastTime, http: VendorHttp) -> Subject:
    def make(url: str) -> AdPlatform:
        return MetaCampaigns(MetaAdsSettings(base_url=url, access_token=SecretStr(TOKEN)), http)

    error = {"error": {"code": 200, "message": "an error in a 200"}}
    return campaigns(stack, time, "meta", make, AdsStandIn({"120": "Sale"}), error)


def google(stack: ExitStack, time: FastTime, http: VendorHttp) -> Subject:
    def make(url: str) -> AdPlatform:
        settings = GoogleAdsSettings(
            base_url=url,
            token_url=f"{url}/token",
            developer_token=SecretStr("dev"),
            client_secret=SecretStr("secret"),
            refresh_token=SecretStr(TOKEN),
            customer_id=GOOGLE_CUSTOMER,
        )
        return GoogleCampaigns(settings, http)

    error = {"partialFailureError": {"code": 3, "message": "an error in a 200"}}
    return campaigns(stack, time, "google", make, GoogleAdsStandIn({"120": "Sale"}), error)


def tiktok(stack: ExitStack, time: FastTime, http: VendorHttp) -> Subject:
    def make(url: str) -> AdPlatform:
        settings = TikTokAdsSettings(
            base_url=url, access_token=SecretStr(TOKEN), advertiser_id=TIKTOK_ADVERTISER
        )
        return TikTokCampaigns(settings, http)

    error = {"code": 40002, "message": "an error in a 200", "data": {}}
    return campaigns(stack, time, "tiktok", make, TikTokAdsStandIn({"120": "Sale"}), error)


def releases(
    time: FastTime,
    proxy: Misbehaving,
    control: ReleaseControl,
    place: ReleasePlace,
    vendor: Any,
    interfere: Callable[[], None],
) -> Subject:
    first: list[Any] = []

    async def read() -> Any:
        return await control.read(place)

    async def write(repeat: bool) -> Any:
        if not first:
            first.append(await read())
        return await control.deploy(
            first[0], version="aaa111", comment="c", idempotency_key=KEY, repeat=repeat
        )

    return Subject(
        name=f"{place.platform}{'_workflow' if place.workflow else ''}",
        proxy=proxy,
        time=time,
        read=read,
        write=write,
        done=lambda: vendor.running() == "aaa111",
        effects=lambda: len(proxy.writes()),
        error_200="<html>a page in a 200</html>",
        interfere=interfere,
        extra={"vendor": vendor, "port": ("releases", Releases({place.platform: control}))},
    )


def github(
    stack: ExitStack, time: FastTime, http: VendorHttp, workflow: str = "", keyed: bool = True
) -> Subject:
    vendor = GitHubStandIn("acme/shop", "production", ["aaa111", "bbb222"])
    proxy = proxied(stack, vendor.app)
    settings = GitHubSettings(base_url=proxy.url, token=SecretStr(TOKEN), keyed_runs=keyed)
    client = GitHubReleases(settings, http)
    place = ReleasePlace(platform="github", project="acme/shop", workflow=workflow)
    return releases(time, proxy, client, place, vendor, lambda: void(vendor.deploy("ccc333")))


def gitlab(stack: ExitStack, time: FastTime, http: VendorHttp, workflow: str = "") -> Subject:
    vendor = GitLabStandIn("acme/shop", "production", ["aaa111", "bbb222"])
    proxy = proxied(stack, vendor.app)
    client = GitLabReleases(GitLabSettings(base_url=proxy.url, token=SecretStr(TOKEN)), http)
    place = ReleasePlace(platform="gitlab", project="acme/shop", workflow=workflow)
    return releases(time, proxy, client, place, vendor, lambda: vendor.deploy("ccc333"))


def argo(stack: ExitStack, time: FastTime, http: VendorHttp) -> Subject:
    vendor = ArgoStandIn("shop", "web", ["aaa111", "bbb222"])
    proxy = proxied(stack, vendor.app)
    client = ArgoReleases(ArgoSettings(base_url=proxy.url, token=SecretStr(TOKEN)), http)
    place = ReleasePlace(platform="argo", project="shop/web")
    return releases(time, proxy, client, place, vendor, lambda: vendor.roll_out("ccc333"))


def pagerduty(stack: ExitStack, time: FastTime, http: VendorHttp) -> Subject:
    vendor = PagerDutyStandIn(TOKEN)
    proxy = proxied(stack, vendor.app)
    settings = PagerDutySettings(base_url=proxy.url, routing_key=SecretStr(TOKEN))
    client = PagerDutyPager(settings, http)
    incident = some_incident()

    async def write(_repeat: bool) -> Any:
        return await client.trigger(incident, "nobody answered")

    return Subject(
        name="pagerduty",
        proxy=proxy,
        time=time,
        read=lambda: write(True),
        write=write,
        done=lambda: vendor.alerts == {f"recoup:{INCIDENT}": "trigger"},
        effects=lambda: len(vendor.alerts),
        error_200={"status": "invalid event", "message": "an error in a 200"},
        extra={"resolve": lambda: client.resolve(incident)},
    )


def webhook(stack: ExitStack, time: FastTime, http: VendorHttp) -> Subject:
    vendor = WebhookStandIn(WEBHOOK_SECRET)
    proxy = proxied(stack, vendor.app)
    client = SignedWebhooks(WebhookSettings(secret=SecretStr(WEBHOOK_SECRET)), http)

    async def write(_repeat: bool) -> Any:
        return await client.call(f"{proxy.url}/hook", {"do": "it"}, idempotency_key=KEY)

    return Subject(
        name="webhook",
        proxy=proxy,
        time=time,
        read=lambda: write(True),
        write=write,
        done=lambda: vendor.acted == {KEY: {"do": "it"}},
        effects=lambda: len(vendor.acted),
        error_200={"ok": False, "error": "an error in a 200"},
        secret=WEBHOOK_SECRET,
        extra={"port": ("webhooks", client)},
    )


def some_incident() -> Any:
    from recoup.domain.clock import FixedClock
    from tests.workflows.ports import START, World

    world = World()
    assert isinstance(world.log, MemoryLog)
    assert FixedClock(START).now() == START
    return world.log.incident()


def void(_value: object) -> None:
    return None


SUBJECTS: dict[str, Start] = {
    "launchdarkly_on": lambda s, t, h: launchdarkly(s, t, h, "on"),
    "launchdarkly_serving": lambda s, t, h: launchdarkly(s, t, h, "serving"),
    "meta": meta,
    "google": google,
    "tiktok": tiktok,
    "github": github,
    "github_workflow": lambda s, t, h: github(s, t, h, "deploy.yml"),
    "github_unkeyed": lambda s, t, h: github(s, t, h, "deploy.yml", keyed=False),
    "gitlab": gitlab,
    "gitlab_workflow": lambda s, t, h: gitlab(s, t, h, "deploy"),
    "argo": argo,
    "pagerduty": pagerduty,
    "webhook": webhook,
}


@contextmanager
def started(name: str) -> Iterator[Subject]:
    time = FastTime()
    timeout = httpx.Timeout(0.4, connect=2.0)
    http = VendorHttp(time, sleep=time.sleep, timeout=timeout)
    with ExitStack() as stack:
        yield SUBJECTS[name](stack, time, http)
