"""Who comes in: keys with scopes, sessions, links that work once, an identity provider, limits."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import RSAKey
from starlette.testclient import TestClient

from recoup import keys
from recoup.app import App, build
from recoup.domain.access import Scope
from recoup.domain.clock import FixedClock
from recoup.domain.errors import InvalidInput, NotFound
from recoup.domain.facts import SignedIn
from recoup.domain.proposals import Decision, DecisionAnswer, Person
from recoup.settings import load
from recoup.web.app import build_web
from recoup.web.sessions import make_link, secret_of

CHANGE = {"id": "c1", "kind": "deploy", "time": "2026-11-24T10:00:00Z", "title": "4.18"}


class NoDesk:
    async def decide(self, decision: Decision) -> DecisionAnswer:
        return DecisionAnswer(accepted=False, text=f"{decision.by.id} {decision.by.roles}")


Starting = Callable[..., tuple[App, TestClient]]


@pytest.fixture
def starting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Starting]:
    """Starts the web with settings; every key is fresh at once."""
    monkeypatch.setattr(keys, "FRESH_S", 0.0)
    apps: list[App] = []

    def start(**environment: str) -> tuple[App, TestClient]:
        for name, value in environment.items():
            monkeypatch.setenv(f"RECOUP_{name}", value)
        app = build(load(data_dir=tmp_path / str(len(apps))))
        apps.append(app)
        client = TestClient(build_web(app, NoDesk()), follow_redirects=False)
        client.__enter__()
        return app, client

    yield start
    for app in apps:
        app.store.close()


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def test_a_key_opens_its_scopes_and_nothing_else(starting: Starting) -> None:
    app, client = starting()
    assert client.get("/v1/incidents").status_code == 200  # loopback, while there is no key
    ring = keys.KeyRing(app.store, app.clock)
    _, changes = ring.create("CI", (Scope.CHANGES_WRITE,), "me")
    _, admin = ring.create("root", (Scope.ADMIN,), "me")
    assert client.get("/v1/incidents").status_code == 401
    assert client.post("/v1/changes", json=CHANGE, headers=bearer(changes)).status_code == 202
    refused = client.get("/v1/incidents", headers=bearer(changes))
    assert refused.status_code == 403
    assert "incidents:read" in refused.json()["detail"]
    assert client.get("/v1/incidents", headers=bearer(admin)).status_code == 200
    assert client.get("/v1/incidents", headers=bearer(admin[:-1] + "x")).status_code == 401


def test_the_key_itself_is_kept_nowhere(starting: Starting) -> None:
    app, _ = starting()
    key, text = keys.KeyRing(app.store, app.clock).create("CI", (Scope.ADMIN,), "me")
    secret = text.rpartition("_")[2]
    facts = str([entry.model_dump() for entry in app.store.read_facts()])
    assert key.key_id in facts
    assert secret not in facts
    assert app.store.key_file is None or secret not in app.store.database.url


def test_rotated_keys_overlap_and_revoked_ones_end_at_once(starting: Starting) -> None:
    app, client = starting()
    ring = keys.KeyRing(app.store, app.clock)
    old, first = ring.create("CI", (Scope.CHANGES_WRITE,), "me")
    new, second = ring.rotate(old.key_id, "me", timedelta(hours=1))
    for text in (first, second):
        assert client.post("/v1/changes", json=CHANGE, headers=bearer(text)).status_code == 202
    assert (new.name, new.scopes) == (old.name, old.scopes)
    ring.revoke(old.key_id, "me", "leaked")
    assert client.post("/v1/changes", json=CHANGE, headers=bearer(first)).status_code == 401
    with pytest.raises(NotFound):
        ring.revoke("nobody", "me")
    with pytest.raises(InvalidInput):
        ring.create(" ", (Scope.ADMIN,), "me")


def test_revoking_every_key_serves_loopback_again_but_an_expired_one_lets_nobody_in(
    starting: Starting,
) -> None:
    app, client = starting(API_KEYS="configured")
    ring = keys.KeyRing(app.store, app.clock)
    _, text = ring.create("short", (Scope.ADMIN,), "me", timedelta(seconds=-1))
    assert client.get("/v1/incidents", headers=bearer(text)).status_code == 401
    assert client.get("/v1/incidents", headers=bearer("configured")).status_code == 200


def test_a_session_begun_with_a_key_ends_with_the_key(
    starting: Starting, token_of: Callable[..., str]
) -> None:
    app, client = starting()
    ring = keys.KeyRing(app.store, app.clock)
    key, text = ring.create("reader", (Scope.INCIDENTS_READ,), "me")
    ring.create("root", (Scope.ADMIN,), "me")
    assert client.get("/").headers["location"] == "/signin"
    signed = client.post("/signin", data={"key": text, "csrf": token_of(client)})
    assert signed.status_code == 303
    cookie = signed.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert client.get("/").status_code == 200
    assert client.get("/audit").status_code == 403  # a viewer is no admin
    ring.revoke(key.key_id, "me")
    assert client.get("/").headers["location"] == "/signin"


def test_forms_need_the_token_of_their_session(
    starting: Starting, token_of: Callable[..., str]
) -> None:
    _, client = starting(API_KEYS="k1")
    assert client.post("/signin", data={"key": "k1"}).status_code == 401
    other = TestClient(client.app)
    stolen = token_of(other)
    token_of(client)
    assert client.post("/signin", data={"key": "k1", "csrf": stolen}).status_code == 401
    assert client.post("/signin", data={"key": "k1", "csrf": token_of(client)}).status_code == 303
    decide = "/incidents/inc_1/decide"
    assert client.post(decide, data={"verdict": "approve"}).status_code == 401
    after = token_of(client, "/")
    sent = client.post(decide, data={"verdict": "approve", "csrf": after})
    assert sent.status_code == 303
    cross = {"Sec-Fetch-Site": "cross-site"}
    sent = client.post(decide, data={"verdict": "approve", "csrf": after}, headers=cross)
    assert sent.status_code == 403
    assert client.post("/signout", data={"csrf": after}).status_code == 303
    assert client.get("/").headers["location"] == "/signin"


def test_a_session_cookie_of_another_secret_is_worth_nothing(
    starting: Starting, token_of: Callable[..., str]
) -> None:
    _, first = starting(API_KEYS="k1")
    first.post("/signin", data={"key": "k1", "csrf": token_of(first)})
    _, second = starting(API_KEYS="k1")
    second.cookies.update(first.cookies)
    assert second.get("/").headers["location"] == "/signin"


def test_behind_tls_the_cookie_is_bound_to_host_and_tls(starting: Starting) -> None:
    _, client = starting(API_KEYS="k1", PUBLIC_URL="https://recoup.example")
    cookie = client.get("/signin").headers["set-cookie"]
    assert cookie.startswith("__Host-recoup=")
    assert "secure" in cookie.lower()


def test_a_session_lasts_its_time_however_often_somebody_looks(
    starting: Starting, token_of: Callable[..., str]
) -> None:
    app, client = starting(API_KEYS="k1", CLOCK__PACE="1")
    client.post("/signin", data={"key": "k1", "csrf": token_of(client)})
    later = FixedClock(app.clock.now() + timedelta(hours=11.9))
    client.app.state.guard._clock = later
    assert client.get("/").status_code == 200
    later.advance(600)
    assert client.get("/").headers["location"] == "/signin"


def test_guessing_is_slowed_down(starting: Starting, token_of: Callable[..., str]) -> None:
    _, client = starting(API_KEYS="k1", WEB__SIGN_INS_PER_MINUTE="3")
    token = token_of(client)
    codes = [client.post("/signin", data={"key": "x", "csrf": token}).status_code for _ in range(4)]
    assert codes == [401, 401, 401, 429]
    right = client.get("/v1/incidents", headers=bearer("k1"))
    assert right.status_code == 429
    assert int(right.headers["Retry-After"]) > 0


def test_callers_are_limited_each_for_himself_but_not_their_events(starting: Starting) -> None:
    _, client = starting(API_KEYS="k1,k2", WEB__REQUESTS_PER_MINUTE="2")
    codes = [client.get("/v1/incidents", headers=bearer("k1")).status_code for _ in range(3)]
    assert codes == [200, 200, 429]
    event = '{"id":"e","type":"page_viewed","time":"2026-11-24T10:00:00Z","session":"s"}'
    for _ in range(4):
        assert client.post("/v1/events", content=event, headers=bearer("k1")).status_code == 202


def test_a_link_signs_in_once_and_looking_at_it_does_not_use_it_up(
    starting: Starting, token_of: Callable[..., str]
) -> None:
    app, client = starting(API_KEYS="k1")
    person = Person(id="link:anna", name="anna", roles=("approver",))
    link = make_link(secret_of(app.store.master_key), person)
    path = f"/signin/link?token={link}"
    form = {"token": link, "csrf": token_of(client, path)}
    assert client.post("/signin/link", data=form).status_code == 303
    assert "anna" in client.get("/").text
    other = TestClient(client.app, follow_redirects=False)
    again = other.post("/signin/link", data={"token": link, "csrf": token_of(other, path)})
    assert again.status_code == 401
    assert "used already" in again.text
    spoilt = {"token": link[:-2], "csrf": token_of(other, path)}
    assert other.post("/signin/link", data=spoilt).status_code == 401
    signed = [e.fact for e in app.store.read_facts(types=("person.signed_in",))]
    assert [fact.way for fact in signed if isinstance(fact, SignedIn)] == ["link"]


def _via(provider: Any, client: TestClient) -> httpx.Response:
    """Follow the redirects as a browser would: ours, the provider's, ours."""
    there = client.get("/signin/oidc")
    assert there.status_code == 302, there.text
    back = httpx.get(there.headers["location"], follow_redirects=False, trust_env=False)
    target = urlsplit(back.headers["location"])
    answer: httpx.Response = client.get(f"{target.path}?{target.query}")
    return answer


def _oidc(provider: Any, **more: str) -> dict[str, str]:
    members = '{"anna": {"roles": ["approver"], "emails": ["anna@shop.example"]}}'
    groups = '{"oncall": ["responder"]}'
    return {
        "OIDC_ISSUER": provider.url,
        "OIDC_CLIENT_ID": "recoup",
        "OIDC_CLIENT_SECRET": "s",
        "OIDC_GROUP_ROLES": groups,
        "PEOPLE_MEMBERS": members,
        **more,
    }


def test_an_identity_provider_signs_people_in_with_their_roles(
    starting: Starting, provider: Any
) -> None:
    app, client = starting(**_oidc(provider))
    assert client.get("/v1/incidents").status_code == 401  # a provider is a configured way in
    provider.claims = {"email": "anna@shop.example", "email_verified": True, "groups": ["oncall"]}
    assert "Sign in with your organisation" in client.get("/signin").text
    assert _via(provider, client).headers["location"] == "/"
    assert parse_qs(urlsplit(str(provider.asked)).query) is not None
    assert provider.asked["code_challenge_method"] == "S256"
    page = client.get("/").text
    assert "approver, responder" in page
    fact = app.store.read_facts(types=("person.signed_in",))[0].fact
    assert isinstance(fact, SignedIn)
    assert (fact.person_id, fact.way) == ("anna", "oidc")


def test_an_unverified_address_is_nobodys(starting: Starting, provider: Any) -> None:
    _, client = starting(**_oidc(provider))
    provider.claims = {"email": "anna@shop.example", "email_verified": False, "name": "Eve"}
    _via(provider, client)
    page = client.get("/", headers={"Accept": "text/html"})
    assert page.status_code == 403
    assert "Eve has no role here" in page.text


@pytest.mark.parametrize("spoil", ["issuer", "audience", "nonce", "expired", "key", "metadata"])
def test_an_answer_that_does_not_hold_lets_nobody_in(
    starting: Starting, provider: Any, spoil: str
) -> None:
    _, client = starting(**_oidc(provider))
    provider.claims = {"email": "anna@shop.example", "email_verified": True} | {
        "issuer": {"iss": "https://evil.example"},
        "audience": {"aud": "another"},
        "nonce": {"nonce": "replayed"},
        "expired": {"exp": 1, "iat": 0},
    }.get(spoil, {})
    if spoil == "key":
        provider.signing_key = RSAKey.generate_key(2048, {"kid": "k1"})
    if spoil == "metadata":
        provider.spoilt = {"issuer": "https://evil.example"}
        assert client.get("/signin/oidc").status_code == 503
    else:
        assert _via(provider, client).status_code == 401
    assert client.get("/").headers["location"] == "/signin"


def test_a_callback_nobody_asked_for_is_refused(starting: Starting, provider: Any) -> None:
    _, client = starting(**_oidc(provider))
    assert client.get("/signin/oidc/callback?code=c1&state=made-up").status_code == 401


def test_a_provider_that_is_away_is_said(starting: Starting, provider: Any) -> None:
    _, client = starting(**_oidc(provider, OIDC_ISSUER="http://127.0.0.1:9"))
    answer = client.get("/signin/oidc")
    assert answer.status_code == 503
    assert "does not answer" in answer.text
