"""The first ten minutes: what ``recoup init`` writes is loaded, run and used."""

import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from recoup.cli import build as build_cli
from recoup.cli import main
from recoup.domain.clock import SystemClock
from recoup.inforce import rows, sections
from recoup.keys import KeyRing
from recoup.settings import Settings, load
from recoup.starting.answers import VENDORS, Answers
from recoup.starting.configuration import configuration
from recoup.starting.environment import read_environment
from recoup.starting.files import UNKNOWN_URL, new_files, slack_manifest
from store.opening import open_from

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("RECOUP_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def init(*arguments: str, typed: str = "") -> Any:
    return CliRunner().invoke(build_cli(), ["init", *arguments], input=typed)


def test_defaults_write_a_shop_in_shadow_mode_whose_keys_open_what_they_say() -> None:
    done = init("shop", "--yes", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert set(told["files"]) == {
        "recoup.toml",
        ".gitignore",
        "first-event.ndjson",
        "recoup.env",
    }
    assert len(told["next"]) == 3
    settings = load(Path("shop/recoup.toml"))
    assert settings.response.shadow
    assert settings.data_dir == Path("shop/data")
    secrets = Path("shop/recoup.env")
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o600
    found = read_environment(secrets.read_text())
    store = open_from(settings)
    ring = KeyRing(store, store.clock)
    opened = {name: ring.find(found[name]) for name in found if name.endswith("KEY")}
    store.close()
    assert {name: key and key.scopes for name, key in opened.items()} == {
        "RECOUP_KEY": ("admin",),
        "RECOUP_CI_KEY": ("changes:write",),
        "RECOUP_EVENTS_KEY": ("events:write",),
    }
    for file in set(told["files"]) - {"recoup.env"}:
        assert not any(found[name] in Path("shop", file).read_text() for name in opened)


def test_nothing_is_overwritten_unless_forced_and_then_secrets_are_kept() -> None:
    assert init("shop", "--yes", "--changes", "github,shopify").exit_code == 0
    env = Path("shop/recoup.env")
    text = env.read_text().replace("# export RECOUP_SHOPIFY_WEBHOOK_SECRET=", "", 1)
    env.write_text(f"{text}\nexport RECOUP_SHOPIFY_WEBHOOK_SECRET='from shopify'\n")
    first = read_environment(env.read_text())
    Path("shop/recoup.toml").write_text("port = 1234\n")
    assert main(["init", "shop", "--yes"]) == 1
    assert Path("shop/recoup.toml").read_text() == "port = 1234\n"
    assert init("shop", "--yes", "--changes", "shopify", "--force").exit_code == 0
    assert load(Path("shop/recoup.toml")).port == 8787
    second = read_environment(env.read_text())
    assert second == first
    assert second["RECOUP_SHOPIFY_WEBHOOK_SECRET"] == "from shopify"
    assert second["RECOUP_GITHUB_WEBHOOK_SECRET"]


def test_five_questions_are_asked_and_a_wrong_answer_is_asked_again() -> None:
    done = init("shop", typed="Café Zoë\nmyspace\ntracker\nslack\ngitlab, argo\nn\n")
    assert done.exit_code == 0, done.output
    assert "'myspace' is not one of api, tracker" in done.output
    assert done.output.count("?") >= 5
    settings = load(Path("shop/recoup.toml"))
    assert not settings.response.shadow
    assert Path("shop/ci/recoup.gitlab-ci.yml").exists()
    manifest = YAML(typ="safe").load(Path("shop/slack-manifest.yaml"))
    assert manifest["display_information"]["name"] == "Recoup Café Zoë"
    secrets = read_environment(Path("shop/recoup.env").read_text())
    assert {"RECOUP_TRACKER_WRITE_KEYS", "RECOUP_GITLAB_WEBHOOK_TOKEN"} < set(secrets)
    assert "RECOUP_EVENTS_KEY" not in secrets
    key = secrets["RECOUP_TRACKER_WRITE_KEYS"]
    assert f'/recoup.js" data-key="{key}"></script>' in done.output  # to be copied as it is


def test_an_answer_that_never_comes_writes_nothing() -> None:
    assert init("shop", typed="Acme\n").exit_code == 1
    assert not Path("shop").exists()


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--events", "none", "events come from one of"),
        ("--changes", "jenkins", "'jenkins' is not one of github"),
        ("--chat", "teams", "'teams' is not one of slack, pages"),
        ("--url", "recoup.example", "https://recoup.example"),
        ("--currency", "euro", "currency"),
        ("--shop", "a\nb", "shop"),
    ],
)
def test_a_wrong_option_says_what_would_be_right(
    option: str, value: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", "shop", "--yes", option, value]) == 1
    assert said in capsys.readouterr().err
    assert not Path("shop").exists()


def test_the_ci_that_is_there_already_is_the_default(tmp_path: Path) -> None:
    (tmp_path / ".gitlab-ci.yml").write_text("")
    assert init("shop", "--yes").exit_code == 0
    assert Path("shop/ci/recoup.gitlab-ci.yml").exists()


def test_every_commented_default_is_the_default() -> None:
    answers = Answers(folder=Path("shop"), vendors=VENDORS, chat="slack", sources=("tracker",))
    text = configuration(answers)
    uncommented = re.sub(r"^# ([a-z_]+ = )", r"\1", text, flags=re.MULTILINE)
    assert uncommented.count("\n# ") < text.count("\n# ") / 2
    Path("all.toml").write_text(uncommented)
    Path("as.toml").write_text(text)
    written, spelt_out = load(Path("as.toml")), load(Path("all.toml"))
    same = {"sections", "config_file"}
    assert spelt_out.model_dump(exclude=same) == written.model_dump(exclude=same)
    for section in sections():
        assert spelt_out.section(section) == section()
    changed = {row.name for row in rows(written) if row.value != row.default}
    assert changed == {"RECOUP_DATA_DIR", "RECOUP_RESPONSE__SHADOW"}


def test_no_setting_is_missing_from_the_file() -> None:
    answers = Answers(folder=Path("shop"), vendors=VENDORS, chat="slack", sources=("tracker",))
    text = configuration(answers)
    for name in set(Settings.model_fields) - {"sections", "config_file", "clock"}:
        assert re.search(rf"^(# |## )?\[?{name}\b", text, flags=re.MULTILINE), name


def test_what_the_docs_show_is_what_is_written() -> None:
    docs = ROOT / "docs"
    assert (docs / "slack-manifest.yaml").read_text() == slack_manifest("Recoup", UNKNOWN_URL)
    shipped = ROOT / "recoup" / "templates" / "init"
    action = docs / "ci" / "github-action" / "action.yml"
    assert action.read_text() == (shipped / "github-action.yml").read_text()
    assert (docs / "ci" / "gitlab.yml").read_text() == (shipped / "gitlab.yml").read_text()


def test_names_cannot_break_out_of_what_is_written() -> None:
    shop = 'x" # {{ 7*7 }}: \\ <&> [a]\u2028'
    answers = Answers(folder=Path("shop"), shop=shop, chat="slack", vendors=("github", "gitlab"))
    texts = {file.place: file.text for file in new_files(answers, SystemClock().now())}
    manifest = YAML(typ="safe").load(texts["slack-manifest.yaml"])
    assert manifest["display_information"]["name"] == f"Recoup {shop}"[:35].strip()
    Path("recoup.toml").write_text(texts["recoup.toml"])
    assert load(Path("recoup.toml")).response.shadow


def test_the_ci_files_name_this_recoup_and_a_secret_never_a_key() -> None:
    assert init("s", "--yes", "--changes", "github,gitlab", "--url", "https://r.acme.example/")
    [step] = YAML(typ="safe").load(Path("s/ci/github-step.yml"))
    assert step["with"]["url"] == "https://r.acme.example"
    assert step["with"]["key"] == "${{ secrets.RECOUP_KEY }}"
    action = YAML(typ="safe").load(Path("s/ci/recoup-change/action.yml"))
    assert set(step["with"]) <= set(action["inputs"])
    jobs = YAML(typ="safe").load(Path("s/ci/recoup.gitlab-ci.yml"))
    assert jobs["tell-recoup"]["extends"] in jobs
    assert jobs["tell-recoup"]["variables"]["RECOUP_URL"] == "https://r.acme.example"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def shell(script: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["bash", "-c", f'recoup() {{ exec "{sys.executable}" -m recoup "$@"; }}\n{script}'],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(ROOT),
            "NO_PROXY": "127.0.0.1",
            "HOME": str(Path.home()),
        },
        **options,
    )


def said_by(script: str) -> str:
    out, err = shell(script).communicate(timeout=60)
    return out + err


@pytest.mark.skipif(not shutil.which("curl"), reason="the first event is sent by curl")
def test_the_three_commands_lead_from_nothing_to_the_first_event_and_the_first_change() -> None:
    made = init("my shop", "--yes", "--json", "--port", str(free_port()))
    serve, event, change = json.loads(made.stdout)["next"]
    serving = shell(serve)
    try:
        assert serving.stdout is not None
        url = serving.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:"), serving.communicate(timeout=20)
        assert '"accepted":1' in said_by(event)
        source = event.split("\n")[0]
        assert said_by(f"{source}\n{change}").startswith("recorded: chg_")
        assert "recorded" in said_by(f'{source}\nRECOUP_KEY="$RECOUP_CI_KEY" {change} --by anna')
        checks = json.loads(said_by(f"{source}\nrecoup doctor --json"))
        states = {each["name"]: each for each in checks["checks"]}
        assert checks["well"]
        assert states["events"]["detail"].startswith("1 so far")
        assert states["changes"]["detail"].startswith("2 in a week")
    finally:
        serving.terminate()
        serving.communicate(timeout=30)
    assert serving.returncode == 0
