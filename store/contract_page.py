"""The page that documents the storefront event, written from the contract itself."""

from typing import Any

from recoup.domain import storefront as s
from store.decoding import MAX_BODY_BYTES, MAX_BODY_LINES
from store.ingest import EARLY_LIMIT, LATE_AFTER, RUNAWAY_VALUES

_MEANINGS = {
    s.PAGE_VIEWED: "a page was shown",
    s.PRODUCT_VIEWED: "a product was looked at",
    s.PRODUCT_ADDED: "a product was put into the cart",
    s.CHECKOUT_STARTED: "the checkout was entered",
    s.PAYMENT_ATTEMPTED: "a payment was sent to a provider",
    s.PAYMENT_FAILED: "a payment was refused; `props.reason` says why",
    s.ORDER_COMPLETED: "an order was paid; `props.value` and `props.currency`",
    s.SCRIPT_ERROR: "a script failed in the browser; `props.message`, `props.file`",
    s.API_TIMED: "a call took `props.ms` milliseconds; `props.endpoint`",
}
_NOTES = {
    "id": "the idempotency key: the same id counts once, however often it is sent",
    "type": "one of those below, or any other: it is kept and counted",
    "time": "RFC 3339 with an offset, such as `2026-11-24T04:14:08.123Z`",
    "session": "ties the steps of one visit together",
    "user": "who it is; replaced on arrival by a pseudonym",
    "dims": "flat text to text: what cohorts are made of",
    "props": "anything else, as JSON",
}

_PAGE = """\
# The storefront event

One JSON object for each thing that happened in the shop. `POST /v1/events` takes NDJSON (one
event a line), a JSON array, or one object; gzip and zstd are welcome.

```json
{{"id": "01J9Z", "type": "checkout_started", "time": "2026-11-24T04:14:08.123Z",
 "session": "s-81", "user": "customer-1138",
 "dims": {{"os": "iOS 16", "browser": "Safari", "campaign": "newsletter"}},
 "props": {{"cart": 3}}}}
```

| field | required | limits | meaning |
|---|---|---|---|
{fields}

Unknown fields are refused, so that a typo never passes in silence. An event has at most
{event_kib} KiB as JSON, a body at most {body_mib} MiB and {body_lines:,} events. `props` are nested
at most {depth} deep, and their numbers are finite. The JSON Schema is served at `/v1/schema`.

## Types

| type | meaning |
|---|---|
{types}

## Dimensions

Usual ones: {dims}. Any other is taken too. A dimension that turns out to have more than
{runaway:,} values is named in `recoup log stats`; the detector folds the values beyond its
limit into `other`.

## What becomes of an event

- **Good, new**: appended. The answer comes after the disk has it.
- **Sent again**: the id is known and the content the same. Counted as a duplicate, not stored.
  The order of keys and the spelling of the time are not content.
- **Same id, other content**: the first one stays; the answer names the line as a conflict.
- **Bad**: the answer names line, field and reason. The good lines of the body are kept.
- **Late** (more than {late_h} hours old): kept as it is, counted. The detector works in event time
  and takes it into account where it still can.
- **Early** (clock ahead): up to {early_min} minutes are taken as they are and counted; more is
  refused, since one wrong clock must not push the time of the whole shop.
- **Out of order**: the log keeps the order of arrival, the detector orders by `time`.

## People

`user`, and every prop named in `RECOUP_PRIVACY__PSEUDONYMISED_PROPS`, becomes the keyed hash of
itself before it is stored. Each person has a key of their own, encrypted by the master key
(`RECOUP_MASTER_KEY`, or a `.key` file beside the SQLite database). `recoup privacy erase SUBJECT`
deletes that key: the events stay, and nobody can tell any more whose they were.
`RECOUP_PRIVACY__KEPT_PROPS` names, for an event type, the only props that are kept.

Ids are remembered for as long as their events are kept. `recoup log seal` moves old blocks to
Parquet, where their ids still count; `recoup log drop` forgets both.

## The lake

`recoup export --format parquet --out lake` writes `events`, `incidents`, `changes` and `facts`.
Conversion from checkout to order by day and browser, with DuckDB:

```sql
SELECT time::DATE AS day, dims['browser'] AS browser,
       count(DISTINCT session) FILTER (type = 'order_completed')
         / count(DISTINCT session) FILTER (type = 'checkout_started') AS conversion
FROM 'lake/events.parquet'
GROUP BY ALL ORDER BY ALL;
```
"""


def events_page() -> str:
    """Return the page as Markdown."""
    schema = s.StorefrontEvent.model_json_schema()
    required = schema["required"]
    fields = (
        f"| `{name}` | {'yes' if name in required else 'no'} | {_limits(part)} | {_NOTES[name]} |"
        for name, part in schema["properties"].items()
    )
    return _PAGE.format(
        fields="\n".join(fields),
        types="\n".join(f"| `{name}` | {_MEANINGS[name]} |" for name in s.KNOWN_TYPES),
        dims=", ".join(f"`{name}`" for name in s.USUAL_DIMENSIONS),
        event_kib=s.MAX_EVENT_BYTES // 1024,
        body_mib=MAX_BODY_BYTES // 1024**2,
        body_lines=MAX_BODY_LINES,
        depth=s.MAX_DEPTH,
        runaway=RUNAWAY_VALUES,
        late_h=int(LATE_AFTER.total_seconds() // 3600),
        early_min=int(EARLY_LIMIT.total_seconds() // 60),
    )


def _limits(part: dict[str, Any]) -> str:
    texts = [part, *part.get("anyOf", ())]
    longest = next((text["maxLength"] for text in texts if "maxLength" in text), None)
    if longest:
        return f"1 to {longest} characters"
    if "maxProperties" in part:
        return f"at most {part['maxProperties']}, each up to {s.MAX_TEXT} characters"
    return "" if part.get("type") == "object" else "microseconds are kept"
