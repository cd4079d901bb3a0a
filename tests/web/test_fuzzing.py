"""Every route of the OpenAPI document, fuzzed from it: nothing fails, nothing unsigned is taken."""

import base64
import json
from collections import defaultdict
from collections.abc import Callable, Container, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from recoup.app import App, build
from recoup.domain.proposals import Decision, DecisionAnswer
from recoup.settings import load
from recoup.web.app import build_web

KEY, WRITE_KEY = "full-key", "wk_browser"
WRITING = {"POST", "PUT", "PATCH", "DELETE"}
FORMS = {
    "/signin",
    "/signin/link",
    "/signout",
    "/freeze",
    "/incidents/{incident_id}/decide",
    "/incidents/{incident_id}/label",
    "/incidents/{incident_id}/unlabel",
}
"""What pages post: HTML forms with a token of their own, so none of the API's document."""
BOUNDED = settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class Desk:
    """A desk that accepts nothing."""

    async def decide(self, decision: Decision) -> DecisionAnswer:
        return DecisionAnswer(accepted=False, text=f"no incident {decision.incident_id}")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECOUP_API_KEYS", KEY)
        patch.setenv("RECOUP_TRACKER_WRITE_KEYS", WRITE_KEY)
        for limit in ("SIGN_INS", "REQUESTS"):
            patch.setenv(f"RECOUP_WEB__{limit}_PER_MINUTE", "0")
        built = build(load(data_dir=tmp_path_factory.mktemp("fuzzed")))
        yield built
        built.store.close()


@pytest.fixture(scope="module")
def web(app: App) -> Any:
    return build_web(app, Desk())


@pytest.fixture(scope="module")
def client(web: Any) -> Iterator[TestClient]:
    with TestClient(web, raise_server_exceptions=False) as found:
        yield found


@pytest.fixture(scope="module")
def document(web: Any, client: TestClient) -> Any:
    return schemathesis.openapi.from_dict(client.get("/openapi.json").json())


def _each(document: Any, examine: Callable[[Any], None], *, methods: Container[str]) -> None:
    """Run a check on cases of every operation; each is fuzzed by itself."""
    operations = [found.ok() for found in document.get_all_operations()]
    chosen = [one for one in operations if one.method.upper() in methods]
    assert chosen
    for operation in chosen:
        BOUNDED(given(case=operation.as_strategy())(examine))()


def _send(client: TestClient, case: Any, headers: dict[str, str], query: dict[str, str]) -> Any:
    """Send a case as it was made, with these headers and parameters beside its own."""
    sent = case.as_transport_kwargs(base_url="http://testserver")
    sent["headers"] = {**dict(sent.get("headers") or {}), **headers}
    sent["params"] = {**dict(sent.get("params") or {}), **query}
    allowed = ("method", "url", "headers", "params", "json", "data", "content")
    kept = {name: value for name, value in sent.items() if name in allowed}
    if isinstance(kept.get("data"), bytes | str):
        kept["content"] = kept.pop("data")
    return client.request(**kept)


def _whatever_comes(client: TestClient, reached: dict[str, set[int]]) -> Callable[[Any], None]:
    """Return the check that nothing fails, with a key; it notes how each operation answered."""
    basic = base64.b64encode(f"{WRITE_KEY}:".encode()).decode()

    def examine(case: Any) -> None:
        is_segment = "Segment" in str(case.operation.definition.raw.get("summary"))
        scheme = f"Basic {basic}" if is_segment else f"Bearer {KEY}"
        query = {"key": WRITE_KEY, "api_secret": WRITE_KEY}
        answer = _send(client, case, {"Authorization": scheme}, query)
        reached[case.operation.label].add(answer.status_code)
        assert answer.status_code < 500, f"{case.operation.label}: {answer.text}"
        if case.operation.path.startswith("/hooks/"):
            assert answer.status_code == 401

    return examine


def _without_a_key(client: TestClient) -> Callable[[Any], None]:
    """Return the check that nothing is taken that has neither key nor signature."""

    def examine(case: Any) -> None:
        answer = _send(client, case, {"Authorization": ""}, {})
        assert answer.status_code in (401, 404, 422), f"{case.operation.label}: {answer.text}"

    return examine


def test_no_route_fails_whatever_comes(document: Any, client: TestClient) -> None:
    reached: defaultdict[str, set[int]] = defaultdict(set)
    _each(document, _whatever_comes(client, reached), methods={"GET", *WRITING})
    assert {200, 202, 204, 401, 422} <= set().union(*reached.values())
    operations = [found.ok() for found in document.get_all_operations()]
    assert set(reached) == {one.label for one in operations}  # none of another method is left
    shut_out = {label for label, statuses in reached.items() if statuses <= {401, 403}}
    assert {label for label in shut_out if "/hooks/" not in label} == set()


def test_nothing_is_taken_without_a_key_or_a_signature(
    document: Any, client: TestClient, app: App
) -> None:
    before = app.store.head()
    _each(document, _without_a_key(client), methods=WRITING)
    assert app.store.head() == before


def test_a_route_that_fails_or_takes_anything_would_be_found() -> None:
    web = FastAPI()

    @web.post("/v1/broken", responses={422: {"description": "refused"}})
    def broken(body: dict[str, Any]) -> None:
        if body:
            raise RuntimeError

    with TestClient(web, raise_server_exceptions=False) as client:
        document = schemathesis.openapi.from_dict(web.openapi())
        with pytest.raises(AssertionError, match="POST /v1/broken"):
            _each(document, _whatever_comes(client, defaultdict(set)), methods={"POST"})
        with pytest.raises(AssertionError, match="POST /v1/broken"):
            _each(document, _without_a_key(client), methods={"POST"})


def test_every_route_that_takes_something_in_is_in_the_document_or_a_form(web: Any) -> None:
    documented = web.openapi()["paths"]
    assert _posts(web) - set(documented) - FORMS - {"/hooks/{vendor}"} == set()
    assert _posts(web) >= FORMS


def _posts(web: Any) -> set[str]:
    return {route.path for route in web.routes if "POST" in (getattr(route, "methods", None) or ())}


@pytest.mark.parametrize("path", sorted(FORMS))
@BOUNDED
@given(data=st.data())
def test_a_form_of_a_page_takes_nothing_from_elsewhere_and_never_fails(
    client: TestClient, app: App, path: str, data: st.DataObject
) -> None:
    names = st.sampled_from(["_csrf", "key", "token", "verdict", "reason", "frozen", "label", "x"])
    fields = data.draw(st.dictionaries(names, st.text(max_size=40), max_size=6))
    raw = data.draw(st.one_of(st.none(), st.binary(max_size=60)))
    kind = "application/x-www-form-urlencoded"
    headers = {"Content-Type": data.draw(st.sampled_from([kind, "multipart/form-data", "x/y"]))}
    content = urlencode(fields).encode() if raw is None else raw
    before = app.store.head()
    address = path.replace("{incident_id}", "inc_1")
    answer = client.post(address, content=content, headers=headers, follow_redirects=False)
    assert answer.status_code < 500, answer.text
    assert app.store.head() == before
    assert client.get("/audit", follow_redirects=False).status_code in (303, 401)  # nobody is in


@pytest.mark.parametrize(
    "odd",
    [
        {"undo": {"a": "\ud800"}},
        {"undo": {"\udfff": 1}},
        {"undo": {"a": float("nan")}},
        {"undo": {"a": 1e400}},
        {"undo": {"a": 2**4000}},
        {"undo": {"deep": json.loads("[" * 900 + "]" * 900)}},
        {"id": "a\x00b"},
        {"id": "a\nb"},
        {"id": "\ud800"},
        {"title": "a\x00b"},
        {"scope": {"os": ["\x00"]}},
        {"scope": {"\ud800": "x"}},
        {"time": "0001-01-01T00:00:00+14:00"},
        {"time": "9999-12-31T23:59:59-14:00"},
        {"time": 1e300},
        {"time": -1},
    ],
    ids=lambda odd: repr(odd)[:40],
)
def test_a_change_of_odd_texts_numbers_and_times_is_taken_or_refused(
    client: TestClient, odd: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    change = {
        "id": f"odd-{request.node.name}"[:90],
        "kind": "deploy",
        "time": "2026-11-24T10:00:00Z",
    }
    body = json.dumps({**change, **odd})
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    answer = client.post("/v1/changes", content=body, headers=headers)
    assert answer.status_code in (202, 422), answer.text
