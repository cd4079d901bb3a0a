"""Reports and the digest: from the log alone, escaped, and with figures that add up."""

import email
import json
from datetime import UTC, datetime, timedelta
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from recoup.cli import main
from recoup.domain.errors import InvalidInput
from recoup.domain.facts import Resolution
from recoup.domain.incident import Incident, Status
from recoup.domain.money import Impact, MoneyRange
from recoup.performance import by_week, figures, follow_ups
from recoup.reporting import Digest, document, incident_report, week_from

MONDAY = datetime(2026, 11, 16, tzinfo=UTC)


def money(mid: float) -> MoneyRange:
    return MoneyRange(low=mid / 2, mid=mid, high=mid * 2)


@pytest.fixture
def incidents(world: Any) -> list[Incident]:
    """Two recovered, one false, one still open; all of one week."""
    base = world.app.store.incidents.get(world.incident_id)
    at = MONDAY + timedelta(days=1)

    def made(number: int, **more: Any) -> Incident:
        return base.model_copy(
            update={
                "id": f"i{number}",
                "onset_at": at,
                "opened_at": at + timedelta(minutes=10 * (number + 1)),
                "impact": Impact(at_risk_per_hour=money(100), lost_so_far=money(50)),
                "status": Status.CLOSED,
                "closed_at": at + timedelta(hours=number + 1),
                **more,
            }
        )

    recovered = {"resolution": Resolution.RECOVERED, "recovered_per_hour": money(80)}
    return [
        made(0, **recovered),
        made(1, **recovered),
        made(2, resolution=Resolution.FALSE_POSITIVE, feedback="false_positive"),
        made(3, status=Status.AWAITING_APPROVAL, closed_at=None, impact=None),
    ]


def test_figures_of_a_week_add_up(incidents: list[Incident]) -> None:
    found = figures(incidents, MONDAY, MONDAY + timedelta(days=7), "EUR")
    assert (found.opened, found.closed, found.recovered, found.false_positives) == (4, 3, 2, 1)
    assert found.lost.mid == 100
    assert found.recovered_per_hour.mid == 160
    assert found.minutes_to_detect == 20  # of 10, 20, 40: the false one does not count
    assert found.minutes_to_resolve == 90
    assert found.false_positive_rate == pytest.approx(1 / 3)
    weeks = by_week(incidents, MONDAY + timedelta(days=9), 3, "EUR")
    assert [week.opened for week in weeks] == [0, 4, 0]
    assert weeks[0].false_positive_rate is None
    assert [item.incident_id for item in follow_ups(incidents)] == ["i3"]


def test_the_digest_says_the_same_on_every_way(incidents: list[Incident]) -> None:
    digest = Digest(incidents, MONDAY, MONDAY + timedelta(days=8), "EUR", "https://r.example")
    text = digest.markdown()
    assert "| Incidents | 4 | 0 |" in text
    assert "<https://r.example/incidents/i3>" in text
    message = digest.slack()
    assert "*Incidents*\n4 (before 0)" in json.dumps(message).replace("\\n", "\n")
    assert all(len(b.get("text", {}).get("text", "")) <= 3000 for b in message["blocks"])
    mail = email.message_from_string(
        digest.email("r@x.example", ["a@x.example"]).as_string(), policy=default
    )
    assert mail["Subject"] == "Recoup, week 47 of 2026"
    html = mail.get_body(("html",))
    assert html is not None
    assert "<table>" in html.get_content()


def test_weeks_are_named_as_people_do() -> None:
    now = MONDAY + timedelta(days=3)
    assert week_from("2026-W47", now) == MONDAY
    assert week_from("last", now) == MONDAY - timedelta(days=7)
    assert week_from("this", now) == MONDAY
    with pytest.raises(InvalidInput):
        week_from("W47", now)


def test_a_report_is_written_at_any_moment_and_obeys_nothing_from_outside(
    world: Any, client: TestClient
) -> None:
    text = incident_report(world.app.store, world.incident_id)
    assert "## Timeline" in text
    html = document("t", text)
    assert "payment-widget-v2 &lt;on&gt;" in html
    assert "<on>" not in html
    page = client.get(f"/incidents/{world.incident_id}/report")
    assert page.status_code == 200
    assert page.text.count("<h1") == 1
    plain = client.get(f"/incidents/{world.incident_id}/report.md")
    assert plain.headers["content-type"].startswith("text/markdown")
    assert plain.text == text


def test_the_commands_write_them(
    world: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    data = ("--data", str(world.app.settings.data_dir))
    out = tmp_path / "r.html"
    assert main(["report", world.incident_id, "--format", "html", "--out", str(out), *data]) == 0
    assert "<h2>Timeline</h2>" in out.read_text()
    assert main(["report", "nope", *data]) == 1
    assert "recoup incidents list" in capsys.readouterr().err
    assert main(["digest", "--week", "2026-W47", "--format", "json", *data]) == 0
    assert json.loads(capsys.readouterr().out)["figures"]["opened"] == 1
