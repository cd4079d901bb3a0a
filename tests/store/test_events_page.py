"""The page about events is what the code says, and its query runs."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import jsonschema

from recoup.domain.storefront import StorefrontEvent
from store.contract_page import events_page
from store.decoding import EventDecoder
from store.lake import export_parquet

PAGE = Path(__file__).parents[2] / "docs" / "events.md"


def test_the_page_matches_the_contract() -> None:
    """Run ``recoup log contract > docs/events.md`` when this fails."""
    assert PAGE.read_text() == events_page()


def test_the_example_is_a_good_event() -> None:
    [example] = re.findall(r"```json\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    assert EventDecoder().decode(example.encode()).problems == []
    jsonschema.validate(json.loads(example), StorefrontEvent.model_json_schema())


def test_the_query_on_the_page_runs(
    sqlite_url: str, opening: Any, event: Any, tmp_path: Path
) -> None:
    store = opening(sqlite_url)
    for number in range(4):
        store.ingest(event(f"a{number}", session=f"s{number}", type="checkout_started"))
    store.ingest(event("b", session="s1", type="order_completed"))
    export_parquet(store.database, tmp_path / "lake")
    [query] = re.findall(r"```sql\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    with duckdb.connect() as lake:
        lake.execute("SET TimeZone = 'UTC'")
        rows = lake.execute(query.replace("'lake/", f"'{tmp_path}/lake/")).fetchall()
    assert rows == [(datetime(2026, 3, 2, tzinfo=UTC).date(), "Safari", 0.25)]
