"""The fast decoder and the documented contract say yes and no to the same lines."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from recoup.domain.errors import InvalidInput
from recoup.domain.storefront import MAX_DEPTH, MAX_DIMS, MAX_EVENT_BYTES, StorefrontEvent
from store import decoding
from store.decoding import DimensionCensus, EventDecoder, EventLine

GOOD: dict[str, Any] = {"id": "e1", "type": "t", "time": "2026-03-02T12:00:00.123Z", "session": "s"}

texts = st.text(max_size=6) | st.sampled_from(["x" * 200, "x" * 201, "é" * 200, "\0", "😀" * 200])
times = st.one_of(
    st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat()),
    st.from_regex(
        r"[0-9]{4}-[01][0-9]-[0-3][0-9][Tt _][0-2][0-9]:[0-6][0-9](:[0-6][0-9])?"
        r"([.,][0-9]{0,12})?([Zz]|[+-][0-9]{2}:?([0-9]{2})?)?",
        fullmatch=True,
    ),
)
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
plain = st.none() | st.booleans() | numbers | texts
trees = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
)
anything = trees | times
events = st.fixed_dictionaries(
    {"id": texts, "type": texts, "time": times, "session": texts},
    optional={
        "user": texts | st.none(),
        "dims": st.dictionaries(texts, texts, max_size=MAX_DIMS + 2),
        "props": st.dictionaries(texts, trees, max_size=3),
    },
)
spoiled = st.tuples(
    events,
    st.dictionaries(
        st.sampled_from([*StorefrontEvent.model_fields, "more", "ID"]), anything, max_size=2
    ),
    st.sets(st.sampled_from(list(StorefrontEvent.model_fields)), max_size=1),
).map(lambda parts: {k: v for k, v in {**parts[0], **parts[1]}.items() if k not in parts[2]})


def contract(line: bytes) -> dict[str, Any] | None:
    """What the documented model makes of a line; None for a refusal."""
    if len(line) > MAX_EVENT_BYTES:
        return None
    try:
        model = StorefrontEvent.model_validate_json(line)
    except ValidationError:
        return None
    return model.model_dump()


def at_once() -> EventDecoder:
    """A decoder that reads short bodies, too, the way long ones are read."""
    decoder = EventDecoder()
    decoder.at_once_from = 0
    return decoder


def fast(line: bytes) -> dict[str, Any] | None:
    """What ingest makes of it, read back from the canonical form."""
    decoded = EventDecoder().decode(line)
    assert at_once().decode(line) == decoded
    assert len(decoded.events) + len(decoded.problems) == 1
    if decoded.problems:
        assert decoded.problems[0].reason
        return None
    canonical = msgspec.json.Encoder().encode_lines(decoded.events)
    assert canonical.count(b"\n") == 1
    stored = StorefrontEvent.model_validate_json(canonical)
    again = EventDecoder().decode(canonical).events[0]
    assert msgspec.json.encode(again) + b"\n" == canonical
    return stored.model_dump()


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(events | spoiled)
def test_both_agree_on_events_good_and_spoiled(whole: dict[str, Any]) -> None:
    line = json.dumps(whole).encode()
    assert fast(line) == contract(line)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=30), st.integers(0, 200), st.integers(0, 20))
def test_both_agree_on_damaged_lines(junk: bytes, at: int, cut: int) -> None:
    line = json.dumps({**GOOD, "dims": {"os": "é"}, "props": {"n": 1.5}}).encode()
    at %= len(line)
    damaged = (line[:at] + junk + line[at + cut :]).replace(b"\n", b" ").replace(b"\r", b" ")
    if damaged.strip() and not damaged.lstrip().startswith(b"["):
        assert fast(damaged) == contract(damaged)


@settings(max_examples=200, deadline=None)
@given(times)
@example("2026-11-24T04:14:08.1234565+01:00")
@example("2026-11-24T04:14:08.9999999Z")
@example("9999-12-31T23:59:59.9999999Z")
@example("9999-12-31T23:59:59-01:00")
@example("0001-01-01T00:00:00+01:00")
@example("2026-11-24T23:59:60Z")
@example("2026-11-24T24:00:00Z")
@example("2026-11-24T04:14:08+24:00")
@example("2026-11-24T04:14:08+0100")
@example("2026-11-24T04:14:08-23:60")
@example("2026-11-24T04:14:08-0060")
@example("2026-11-24T04:14:08+01:59")
@example("2026-11-24 04:14:08z")
@example("1795500848")
def test_both_agree_on_times(text: str) -> None:
    line = json.dumps({**GOOD, "time": text}).encode()
    assert fast(line) == contract(line)


ADVERSARIAL = [
    b'"x"',
    b"null",
    b"{}",
    b"{}{}",
    b'{"id":"e1","id":2}',
    b'{"p":' * 3000 + b"1" + b"}" * 3000,
]
VALUES = [
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "01",
    "1.",
    "-",
    "9" * 400,
    "9" * 5000,
    '"\\ud800"',
    '"\\udc00"',
    '"\\ud83d\\ude00"',
    '"\\u0000"',
    '"\\x"',
    '"\t"',
    "true",
    "[" * MAX_DEPTH + "]" * MAX_DEPTH,
    "[" * (MAX_DEPTH - 1) + "1" + "]" * (MAX_DEPTH - 1),
    '{"a":' * (MAX_DEPTH - 2) + "[]" + "}" * (MAX_DEPTH - 2),
    "[[" * 3000 + "]]" * 3000,
]


@pytest.mark.parametrize("line", ADVERSARIAL, ids=lambda line: line[:12].decode())
def test_both_refuse(line: bytes) -> None:
    assert fast(line) is None
    assert contract(line) is None


@pytest.mark.parametrize("field", ["id", "time", "user", "dims", "props"])
@pytest.mark.parametrize("value", VALUES, ids=lambda value: value[:12])
def test_both_agree_on_adversarial_values(field: str, value: str) -> None:
    rest = json.dumps({name: text for name, text in GOOD.items() if name != field})[1:-1]
    for text in (value, f'{{"a":{value}}}'):
        line = f'{{{rest},"{field}":{text}}}'.encode()
        assert fast(line) == contract(line)


def test_both_agree_on_bytes_that_are_no_utf8() -> None:
    for place in (b'"id":"e1"', b'"type":"t"'):
        line = (
            json.dumps(GOOD, separators=(",", ":")).encode().replace(place, place[:-1] + b'\xff"')
        )
        assert fast(line) is None
        assert contract(line) is None


def test_both_agree_on_size_and_number_of_dims() -> None:
    for filling in (MAX_EVENT_BYTES - 200, MAX_EVENT_BYTES):
        line = json.dumps({**GOOD, "props": {"text": "x" * filling}}).encode()
        assert fast(line) == contract(line)
    for count in (MAX_DIMS, MAX_DIMS + 1):
        line = json.dumps({**GOOD, "dims": {f"d{n}": "v" for n in range(count)}}).encode()
        assert (fast(line) is None) == (count > MAX_DIMS) == (contract(line) is None)


@pytest.mark.parametrize(
    ("line", "field", "words"),
    [
        (b'{"id": 1}', "id", "Expected `str`"),
        (b'{"id":"e","colour":1}', "colour", "unknown field"),
        (json.dumps({**GOOD, "time": "yesterday"}).encode(), "time", "RFC3339"),
        (json.dumps({**GOOD, "dims": {"os": 4}}).encode(), "dims", "Expected `str`"),
        (json.dumps({**GOOD, "user": ""}).encode(), "user", "length >= 1"),
    ],
)
def test_a_refusal_names_field_and_reason(line: bytes, field: str, words: str) -> None:
    [problem] = EventDecoder().decode(line).problems
    assert field in problem.field
    assert words in problem.reason


def test_bodies_of_every_form() -> None:
    one = json.dumps(GOOD).encode()
    two = json.dumps({**GOOD, "id": "e2"}).encode()

    def ids(body: bytes) -> list[tuple[str, int]]:
        decoded = EventDecoder().decode(body)
        return [(e.id, n) for e, n in zip(decoded.events, decoded.lines, strict=True)]

    assert ids(one + b"\n\n" + two + b"\r\n") == [("e1", 1), ("e2", 3)]
    assert ids(b" [" + one + b",\n" + two + b"]") == [("e1", 1), ("e2", 2)]
    assert ids(json.dumps(GOOD, indent=2).encode()) == [("e1", 1)]
    assert ids(b"") == ids(b" \n ") == ids(b"[]") == []
    assert [p.line for p in EventDecoder().decode(b"[" + one).problems] == [1]
    assert [p.line for p in EventDecoder().decode(b"[1," + one + b"]").problems] == [1]


def test_a_body_has_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "MAX_BODY_LINES", 3)
    for body in (b"{}\n{}\n{}\n{}", b"[{},{},{},{}]"):
        with pytest.raises(InvalidInput, match="at most 3"):
            EventDecoder().decode(body)
    monkeypatch.setattr(decoding, "MAX_BODY_BYTES", 3)
    with pytest.raises(InvalidInput, match="at most 3 bytes"):
        EventDecoder().decode(b"{}  ")


def test_dims_are_kept_sorted_and_checked_once() -> None:
    decoder = EventDecoder()
    [event] = decoder.decode(json.dumps({**GOOD, "dims": {"os": "a", "b": "é"}}).encode()).events
    assert isinstance(event, EventLine)
    assert bytes(event.dims).decode() == '{"b":"é","os":"a"}'


def test_the_memory_for_runaway_dimensions_is_bounded() -> None:
    census = DimensionCensus()
    census.names_limit, census.values_limit = 2, 50
    decoder = EventDecoder(census)
    decoder.cache_limit = 10
    for number in range(100):
        dims = {"session_id": f"v{number}", "os": "iOS", f"name{number}": "x"}
        decoder.decode(json.dumps({**GOOD, "dims": dims}).encode())
    assert census.news(20) == {"session_id": 50}
    assert census.news(20) == {}
    assert len(decoder._checked) <= 10


def _line(number: int, dims: str = "{}") -> bytes:
    return (
        f'{{"id":"e{number}","type":"page_viewed","time":"2026-03-01T00:00:00.000Z",'
        f'"session":"s{number}","dims":{dims}}}'
    ).encode()


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        (_line(1) + b"\n" + _line(2), ["e1", "e2"]),
        (_line(1) + b"\n\n" + _line(2) + b"\r\n", ["e1", "e2"]),
        (_line(1) + _line(2) + b"\n" + _line(3), ["e3"]),
        (_line(1).replace(b',"dims"', b',\n"dims"') + b"\n" + _line(2), ["e2"]),
        (_line(1) + b"\n" + _line(2, '{"os":7}') + b"\n" + _line(3), ["e1", "e3"]),
        (_line(1) + b"\n{}\n" + _line(3), ["e1", "e3"]),
        (_line(1) + b"\n" + _line(2).replace(b"e2", b"\xff2") + b"\n" + _line(3), ["e1", "e3"]),
    ],
)
def test_a_body_read_at_once_gives_what_its_lines_give(body: bytes, ids: list[str]) -> None:
    decoded = at_once().decode(body)
    assert [event.id for event in decoded.events] == ids
    assert EventDecoder().decode(body) == decoded


@pytest.mark.parametrize("opening", ['{"a":', "["])
def test_a_body_read_at_once_refuses_what_is_nested_too_deep(opening: str) -> None:
    closing = "}" if opening.startswith("{") else "]"
    for depth, refused in ((MAX_DEPTH - 1, []), (MAX_DEPTH, [3])):
        nested = f'{{"a":{opening * depth}1{closing * depth}}}'.encode()
        deep = _line(3)[:-1] + b',"props":' + nested + b"}"
        body = b"\n".join([_line(1), _line(2), deep, *(_line(number) for number in range(4, 40))])
        assert [problem.line for problem in at_once().decode(body).problems] == refused
        assert (contract(deep) is None) == bool(refused)


@pytest.mark.parametrize(
    ("body", "ids", "bad"),
    [
        (b"[" + _line(1) + b",\n" + _line(2) + b"]", ["e1", "e2"], []),
        (
            b"[" + _line(1).replace(b',"dims"', b',\n"dims"') + b"," + _line(2) + b"]",
            ["e1", "e2"],
            [],
        ),
        (b"[" + _line(1) + b",1," + _line(3) + b"]", ["e1", "e3"], [2]),
        (b"[" + _line(1) + b",{},\n" + _line(3) + b"]", ["e1", "e3"], [2]),
        (b"[[" + _line(1) + b"],\n" + _line(2) + b"]", ["e2"], [1]),
    ],
)
def test_an_array_read_at_once_gives_what_its_items_give(
    body: bytes, ids: list[str], bad: list[int]
) -> None:
    decoded = at_once().decode(body)
    assert [event.id for event in decoded.events] == ids
    assert [problem.line for problem in decoded.problems] == bad
    assert EventDecoder().decode(body) == decoded
