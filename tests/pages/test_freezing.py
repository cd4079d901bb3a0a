"""The freeze switch on the page of playbooks and over the API: how it stands, who may turn it."""

import re
from typing import Any

import pytest
from starlette.testclient import TestClient

from recoup.domain.access import Scope
from recoup.domain.freezing import freeze_in_force
from recoup.keys import KeyRing
from recoup.web.app import build_web


def token_of(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found
    return found[1]


def test_everything_is_frozen_and_allowed_again_on_the_page(client: TestClient, world: Any) -> None:
    page = client.get("/playbooks").text
    assert "Actions are allowed" in page
    assert "acts once people agree" in page, "each playbook says how far it is trusted"
    form = {"csrf": token_of(page), "frozen": "yes", "reason": "a <sale>"}
    assert client.post("/freeze", data=form | {"csrf": "x"}).status_code == 403
    cross = client.post("/freeze", data=form, headers={"Origin": "https://evil.example"})
    assert cross.status_code in (401, 403)
    assert freeze_in_force(world.app.store) is None
    sent = client.post("/freeze", data=form)
    assert sent.status_code == 303
    page = client.get(sent.headers["location"]).text
    assert "Every action is frozen" in page
    assert "a &lt;sale&gt;" in page
    assert "Every action is frozen" in client.get("/").text, "the overview says so too"
    assert client.get("/v1/freeze").json()["by"] == "page:operator"
    client.post("/freeze", data={"csrf": token_of(page), "frozen": "no"})
    assert freeze_in_force(world.app.store) is None
    assert "frozen" not in client.get("/").text


@pytest.mark.parametrize("may", [False, True])
def test_only_an_approver_may_turn_it(world: Any, may: bool) -> None:
    ring = KeyRing(world.app.store, world.app.clock)
    scopes = (Scope.INCIDENTS_READ, Scope.DECIDE) if may else (Scope.INCIDENTS_READ,)
    _, key = ring.create("somebody", scopes, "me")
    with TestClient(build_web(world.app, world.desk), follow_redirects=False) as client:
        bearer = {"Authorization": f"Bearer {key}"}
        assert client.get("/v1/freeze").status_code == 401
        assert client.get("/v1/freeze", headers=bearer).json()["frozen"] is False
        wanted = {"frozen": True, "reason": "a sale"}
        sent = client.put("/v1/freeze", json=wanted, headers=bearer)
        assert sent.status_code == (200 if may else 403)
        assert (freeze_in_force(world.app.store) is not None) is may
        client.headers["Accept"] = "text/html"
        client.post("/signin", data={"key": key, "csrf": token_of(client.get("/signin").text)})
        page = client.get("/playbooks").text
        assert ("Allow actions again" in page) is may
        sent = client.post("/freeze", data={"csrf": token_of(page), "frozen": "no"})
        assert sent.status_code == (303 if may else 403)
    assert freeze_in_force(world.app.store) is None
