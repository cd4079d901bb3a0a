"""No secret of the installation reaches a log: by name, by value, nested, in errors, in traces."""

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest
import structlog
from pydantic import SecretStr

from recoup.observability import set_up_logging
from recoup.settings import Settings, TemporalSettings

TOKEN, KEY, PASSWORD = "xoxb-7f3a-slack", "a2V5LWtleS1rZXk=", "hunter2-hunter2"


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    monkeypatch.setenv("RECOUP_SLACK_BOT_TOKEN", TOKEN)
    monkeypatch.setenv("UNRELATED_TOKEN", "of somebody else")
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    before = logging.getLogger().handlers[:]
    set_up_logging(
        Settings(
            log_format="json",
            database_url=f"postgresql://recoup:{PASSWORD}@db/recoup",
            temporal=TemporalSettings(payload_key=SecretStr(KEY)),
            sections={"pagerduty": {"routing_key": "pd-routing-1", "base_url": "https://pd"}},
        )
    )
    yield stream
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = before


def test_fields_named_as_secrets_are_hidden_however_deep(written: io.StringIO) -> None:
    structlog.get_logger().info("x", api_key="123456789", request={"headers": {"Token": "abcdef"}})
    line = json.loads(written.getvalue())
    assert line["api_key"] == "(redacted)"
    assert line["request"]["headers"]["Token"] == "(redacted)"
    assert line["event"] == "x"


@pytest.mark.parametrize("secret", [TOKEN, KEY, PASSWORD, "pd-routing-1"])
def test_the_values_are_hidden_wherever_they_show(written: io.StringIO, secret: str) -> None:
    log = structlog.get_logger()
    log.warning(f"refused with {secret}", answer=[{"quoted": f"Bearer {secret}"}], count=3)
    try:
        raise ValueError(f"cannot use {secret}")
    except ValueError:
        log.exception("failed")
        logging.getLogger("some.library").exception("library failed with %s", secret)
    text = written.getvalue()
    assert secret not in text
    assert text.count("(redacted)") >= 5
    assert "cannot use (redacted)" in text
    assert "https://pd" not in text or "base_url" in text


def test_what_is_not_ours_is_left_alone(written: io.StringIO) -> None:
    structlog.get_logger().info("of somebody else", note=None, share=0.5)
    line = json.loads(written.getvalue())
    assert line["event"] == "of somebody else"
    assert line["share"] == 0.5
    assert line["note"] is None


def test_settings_never_show_their_secrets(written: io.StringIO) -> None:
    settings = Settings(
        api_keys=(SecretStr("key-of-ci-1"),), temporal=TemporalSettings(payload_key=SecretStr(KEY))
    )
    assert "key-of-ci-1" not in repr(settings)
    assert KEY not in str(settings)
    assert settings.secret_values()[0] == KEY
