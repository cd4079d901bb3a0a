"""The API over HTTP: what is taken, what is refused, and what the answer names."""

import base64
import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard
from starlette.testclient import TestClient

from recoup.app import App, build
from recoup.domain.proposals import Decision, DecisionAnswer
from recoup.domain.series import EventBlock
from recoup.settings import load
from recoup.web.app import build_web
from recoup.web.ingest import LONGEST_BODY


class NoDesk:
    """A desk for a server without incidents."""

    async def decide(self, decision: Decision) -> DecisionAnswer:
        return DecisionAnswer(accepted=False, text=f"no incident {decision.incident_id}")


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    built = build(load(data_dir=tmp_path))
    yield built
    built.store.close()


@pytest.fixture
def client(app: App) -> Iterator[TestClient]:
    with TestClient(build_web(app, NoDesk())) as found:
        yield found


def line(number: int, **more: object) -> str:
    event = {
        "id": f"e{number}",
        "type": "page_viewed",
        "time": "2026-11-23T10:00:00.250Z",
        "session": "s1",
        "dims": {"os": "iOS 16"},
        **more,
    }
    return json.dumps(event)


def test_events_count_once_and_a_bad_line_does_not_take_the_good_ones_along(
    client: TestClient, app: App
) -> None:
    body = "\n".join([line(1), '{"id": "x"', line(2, time="yesterday"), line(3)])
    answer = client.post("/v1/events", content=body)
    assert answer.status_code == 202
    assert answer.json()["accepted"] == 2
    assert [(p["line"], p["field"]) for p in answer.json()["rejected"]][1] == (3, "time")
    assert client.post("/v1/events", content=line(1)).json()["duplicates"] == 1
    assert app.store.stats().events == 2


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_compressed_bodies_are_taken(client: TestClient, encoding: str) -> None:
    raw = f"[{line(1)}, {line(2)}]".encode()
    packed = gzip.compress(raw) if encoding == "gzip" else zstandard.compress(raw)
    answer = client.post("/v1/events", content=packed, headers={"Content-Encoding": encoding})
    assert answer.json()["accepted"] == 2


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_compressed_body_counts_whole_or_not_at_all(
    client: TestClient, app: App, encoding: str
) -> None:
    pack = gzip.compress if encoding == "gzip" else zstandard.compress
    headers = {"Content-Encoding": encoding}
    raw = "\n".join(line(number) for number in range(300)).encode()
    cut = client.post("/v1/events", content=pack(raw)[:-9], headers=headers)
    assert (cut.status_code, app.store.stats().events) == (415, 0)
    parts = pack(raw + b"\n") + pack(line(300).encode())
    assert client.post("/v1/events", content=parts, headers=headers).json()["accepted"] == 301
    bomb = client.post("/v1/events", content=pack(b" " * (LONGEST_BODY + 1)), headers=headers)
    assert bomb.status_code == 413


def test_the_rules_of_privacy_hold_for_what_comes_over_http(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECOUP_PRIVACY__PSEUDONYMISED_PROPS", '["email"]')
    monkeypatch.setenv("RECOUP_PRIVACY__KEPT_PROPS", '{"page_viewed": ["path", "email"]}')
    monkeypatch.setenv("RECOUP_MASTER_KEY", base64.b64encode(b"k" * 32).decode())
    app = build(load(data_dir=tmp_path))
    with TestClient(build_web(app, NoDesk())) as client:
        props = {"path": "/", "email": "ann@shop.example", "secret": "x"}
        client.post("/v1/events", content=line(1, user="ann", props=props))
    [block] = app.store.read(0)
    assert isinstance(block, EventBlock)
    stored = json.loads(block.data)
    assert set(stored["props"]) == {"path", "email"}
    assert b"ann" not in block.data
    assert app.store.key_file is not None
    assert not app.store.key_file.exists()
    app.store.close()


def test_a_wholly_bad_body_is_a_problem_that_names_line_field_and_reason(
    client: TestClient,
) -> None:
    answer = client.post("/v1/events", content=line(1, session=""))
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert "line 1: session" in answer.json()["detail"]


def test_a_change_counts_once_and_other_content_is_a_conflict(client: TestClient) -> None:
    change = {"id": "c1", "kind": "deploy", "time": "2026-11-24T10:00:00Z", "title": "4.18"}
    assert client.post("/v1/changes", json=change).json() == {"id": "c1", "new": True}
    assert client.post("/v1/changes", json=change).json() == {"id": "c1", "new": False}
    assert client.post("/v1/changes", json={**change, "title": "4.19"}).status_code == 409
    refused = client.post("/v1/changes", json={**change, "id": "c2", "kind": "magic"})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "kind"


def test_unsigned_webhooks_and_unknown_vendors_are_refused(client: TestClient) -> None:
    assert client.post("/hooks/launchdarkly", content=b"{}").status_code == 401
    assert client.post("/hooks/nobody", content=b"{}").status_code == 404


def test_with_keys_only_their_holders_come_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECOUP_API_KEYS", "k1")
    app = build(load(data_dir=tmp_path))
    with TestClient(build_web(app, NoDesk()), follow_redirects=False) as client:
        assert client.post("/v1/events", content=line(1)).status_code == 401
        allowed = client.post("/v1/events", content=line(1), headers={"Authorization": "Bearer k1"})
        assert allowed.status_code == 202
        assert client.get("/").headers["location"] == "/signin"
        found = re.search(r'name="csrf" value="([^"]+)"', client.get("/signin").text)
        assert found
        signed = client.post("/signin", data={"key": "k1", "csrf": found[1]})
        assert signed.status_code == 303
        assert client.get("/").status_code == 200
    app.store.close()


@pytest.mark.parametrize("path", ["/", "/incidents", "/healthz", "/readyz", "/metrics"])
def test_pages_answer_with_a_strict_policy(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_the_openapi_document_is_valid_and_has_the_ingest_route(client: TestClient) -> None:
    from openapi_spec_validator import validate

    document = client.get("/openapi.json").json()
    validate(document)
    assert "post" in document["paths"]["/v1/events"]
