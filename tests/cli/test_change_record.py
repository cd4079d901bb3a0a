"""``recoup change record`` and the snippets for CI, run against an api role over HTTP."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from integrations.recoup_api import post_change
from recoup.app import App, build
from recoup.cli import main
from recoup.demo.standins.running import Running
from recoup.domain.base import from_ms
from recoup.domain.changes import Change, ChangeKind
from recoup.domain.errors import NotAllowed, TransientVendorError
from recoup.settings import load
from recoup.web.app import build_web

ROOT = Path(__file__).parents[2]
needs_tools = pytest.mark.skipif(
    not (shutil.which("jq") and shutil.which("curl")), reason="the snippets need jq and curl"
)
WORDS = ("change", "record", "--kind", "deploy", "--title", "checkout 4.18")


class NoDesk:
    """A desk for a server without incidents."""

    async def decide(self, decision: Any) -> Any:
        raise NotImplementedError


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, App]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECOUP_API_KEYS", "k1")
        app = build(load(data_dir=tmp_path_factory.mktemp("served")))
    with Running(build_web(app, NoDesk())) as running:
        yield running.url, app
    app.store.close()


def test_a_change_is_recorded_and_a_repeat_of_the_run_counts_once(
    served: tuple[str, App], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, app = served
    monkeypatch.setenv("GITHUB_RUN_ID", "17")
    monkeypatch.setenv("GITHUB_SHA", "4f2a9c1")
    monkeypatch.setenv("RECOUP_URL", url)
    monkeypatch.setenv("RECOUP_KEY", "k1")
    scope = ("--scope", "release=4.18", "--scope", "os=iOS 16", "--scope", "os=iOS 17")
    assert main([*WORDS, *scope, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["outcome"] == "recorded"
    change = app.store.changes.get(told["id"])
    assert change is not None
    assert (change.kind, change.ref) == (ChangeKind.DEPLOY, "4f2a9c1")
    assert change.scope == {"release": "4.18", "os": ["iOS 16", "iOS 17"]}
    assert main([*WORDS, *scope]) == 0
    assert capsys.readouterr().out == f"known already: {told['id']}\n"


def test_who_made_it_and_when_are_told_by_the_option_or_by_ci(
    served: tuple[str, App], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, app = served
    to = ("--url", url, "--key", "k1", "--json")
    monkeypatch.setenv("GITLAB_USER_LOGIN", "anna-gl")
    assert main([*WORDS, *to]) == 0
    assert main([*WORDS, *to, "--by", "bert@shop.example", "--time", "2026-11-24T10:00+01:00"]) == 0
    ids = re.findall(r"chg_\w+", capsys.readouterr().out)
    by_ci, by_hand = (app.store.changes.get(each) for each in ids)
    assert by_ci is not None
    assert by_hand is not None
    assert (by_ci.by, by_hand.by) == ("anna-gl", "bert@shop.example")
    assert f"{by_hand.time:%FT%TZ}" == "2026-11-24T09:00:00Z"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--time", "yesterday"), "--time: "),
        (("--id", "a\nb"), "--id: "),
        (("--scope", "release"), "--scope 'release' is not dimension=value"),
        (("--undo", "back"), "--undo is not JSON"),
        (("--url", "recoup.example"), "such as https://recoup.example"),
        (("--url", "http://127.0.0.1:9", "--attempts", "1"), "is it running"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    more: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*WORDS, *more]) == 1
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "answer",
    [
        Response("<html>sign in</html>", 200),
        Response("[]", 202),
        Response("", 302, headers={"Location": "https://sso.example"}),
        JSONResponse({"detail": "Not Found"}, 404),
    ],
)
def test_somebody_else_at_the_address_is_told(
    answer: Response, capsys: pytest.CaptureFixture[str]
) -> None:
    async def take(request: Request) -> Response:
        await request.body()
        return answer

    with Running(Starlette(routes=[Route("/v1/changes", take, methods=["POST"])])) as running:
        assert main([*WORDS, "--url", running.url]) == 1
    assert "is RECOUP_URL right" in capsys.readouterr().err


def test_a_wrong_key_is_said_and_never_shown(
    served: tuple[str, App], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*WORDS, "--url", served[0], "--key", "s3cret"]) == 1
    said = capsys.readouterr().err
    assert "RECOUP_KEY" in said
    assert "s3cret" not in said


def test_when_recoup_is_away_ci_may_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    away = ("--url", "http://127.0.0.1:9", "--attempts", "1")
    assert main([*WORDS, *away]) == 1
    assert main([*WORDS, *away, "--optional"]) == 0
    assert "going on without" in capsys.readouterr().err


class Flaky:
    """Refuses twice, as a server that restarts would, then takes the change."""

    def __init__(self) -> None:
        self.calls = 0
        self.app = Starlette(routes=[Route("/v1/changes", self._take, methods=["POST"])])

    async def _take(self, request: Request) -> Response:
        self.calls += 1
        await request.body()
        if self.calls == 1:
            return JSONResponse({"detail": "restarting"}, 503, headers={"Retry-After": "7"})
        if self.calls == 2:
            return JSONResponse({"detail": "slow down"}, 429)
        return JSONResponse({"id": "c", "new": True}, 202)


def test_what_cannot_be_stored_now_is_tried_again_after_the_pause_that_was_asked_for() -> None:
    waits: list[float] = []
    flaky = Flaky()
    change = Change(id="c", kind=ChangeKind.DEPLOY, time=from_ms(0))
    with Running(flaky.app) as running:
        assert post_change(running.url, "", change, sleep=waits.append)
    assert (flaky.calls, waits) == (3, [7.0, 1.0])


def test_no_attempt_left_and_a_refusal_are_told_apart(served: tuple[str, App]) -> None:
    change = Change(id="c", kind=ChangeKind.DEPLOY, time=from_ms(0))
    with pytest.raises(TransientVendorError):
        post_change("http://127.0.0.1:9", "", change, attempts=2, sleep=lambda _s: None)
    with pytest.raises(NotAllowed):
        post_change(served[0], "wrong", change)


def _bash(script: str, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        env={"PATH": "/usr/bin:/bin", "NO_PROXY": "127.0.0.1", **variables},
    )


def _action() -> tuple[str, dict[str, str]]:
    action = YAML(typ="safe").load(ROOT / "docs" / "ci" / "github-action" / "action.yml")
    [step] = action["runs"]["steps"]
    assert action["runs"]["using"] == "composite"
    defaults = {name: about.get("default", "") for name, about in action["inputs"].items()}
    variables = {
        name: defaults[text.removeprefix("${{ inputs.").removesuffix(" }}")]
        for name, text in step["env"].items()
    }
    assert "${{" not in step["run"]
    return step["run"], variables


@needs_tools
def test_the_github_action_records_a_deploy_and_a_title_is_never_a_command(
    served: tuple[str, App], tmp_path: Path
) -> None:
    url, app = served
    script, variables = _action()
    variables |= {
        "RECOUP_URL": url + "/",
        "RECOUP_KEY": "k1",
        "TITLE": f'say "hi" $(touch {tmp_path}/owned) `id`',
        "SCOPE": '{"release": "4.18"}',
        "GITHUB_SHA": "4f2a9c1",
        "GITHUB_REPOSITORY": "acme/shop",
        "GITHUB_RUN_ID": "17",
        "GITHUB_RUN_ATTEMPT": "1",
        "GITHUB_ACTION": "recoup",
    }
    for _ in range(2):
        done = _bash(script, variables)
        assert done.returncode == 0, done.stderr
    change = app.store.changes.get("github-run:acme/shop:17:1:recoup")
    assert change is not None
    assert change.title == variables["TITLE"]
    assert change.scope == {"release": "4.18"}
    assert not (tmp_path / "owned").exists()


@needs_tools
def test_the_github_action_fails_only_when_it_is_to(served: tuple[str, App]) -> None:
    script, variables = _action()
    variables |= {"RECOUP_URL": served[0], "RECOUP_KEY": "wrong", "TITLE": "x"}
    assert _bash(script, variables).returncode == 0
    assert _bash(script, {**variables, "REQUIRED": "true"}).returncode == 1


@needs_tools
def test_the_gitlab_job_records_a_deploy(served: tuple[str, App]) -> None:
    url, app = served
    job = YAML(typ="safe").load(ROOT / "docs" / "ci" / "gitlab.yml")[".recoup-change"]
    variables = {
        **job["variables"],
        "RECOUP_URL": url,
        "RECOUP_KEY": "k1",
        "RECOUP_TITLE": "checkout 4.18",
        "CI_COMMIT_SHA": "4f2a9c1",
        "GITLAB_USER_LOGIN": "anna-gl",
        "CI_PROJECT_PATH": "acme/shop",
        "CI_JOB_ID": "99",
    }
    done = _bash(job["script"][0], variables)
    assert done.returncode == 0, done.stderr
    change = app.store.changes.get("gitlab-job:acme/shop:99")
    assert change is not None
    assert (change.kind, change.by) == (ChangeKind.DEPLOY, "anna-gl")
