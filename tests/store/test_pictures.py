"""What pages read: slices by time, ticks by cohort, facts backwards."""

from datetime import UTC, datetime, timedelta

from recoup.domain.facts import FreezeSet, NewFact, TimePassed
from recoup.domain.series import SliceRow, TickRow
from store.opening import Store
from store.projections.pictures import KEPT_MS

AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def test_slices_are_replaced_and_old_ones_dropped(store: Store) -> None:
    assert store.pictures.newest_slice() is None
    store.commit_projection("d", 1, slices=[SliceRow(0, b"a"), SliceRow(600, b"b")])
    store.commit_projection("d", 2, slices=[SliceRow(600, b"c")])
    assert store.pictures.slices(0, 1000) == [b"a", b"c"]
    assert store.pictures.slices(0, 600) == [b"a"]
    store.commit_projection("d", 3, slices=[SliceRow(KEPT_MS + 500, b"d")])
    assert store.pictures.slices(0, KEPT_MS * 2) == [b"c", b"d"]
    assert store.pictures.newest_slice() == KEPT_MS + 500


def test_ticks_of_a_cohort_come_by_metric_and_time(store: Store) -> None:
    rows = [
        TickRow(at, metric, cohort, 1.0, 1.0, 1.0, 0.0)
        for at in (60, 0)
        for metric in ("b", "a")
        for cohort in ("everyone", "os=iOS 16")
    ]
    store.commit_projection("d", 1, ticks=rows)
    found = store.pictures.ticks("everyone", 0, 60)
    assert [(row.metric, row.tick_ms) for row in found] == [
        ("a", 0),
        ("a", 60),
        ("b", 0),
        ("b", 60),
    ]
    assert len(store.pictures.ticks("everyone", 1, 60)) == 2


def test_the_trail_goes_backwards_and_is_narrowed_down(store: Store) -> None:
    for number in range(3):
        at = AT + timedelta(minutes=number)
        freeze = FreezeSet(frozen=bool(number % 2), by="anna")
        store.append("freeze", [NewFact(fact_id=f"f{number}", fact=freeze, occurred_at=at,
                                        actor="anna")])  # fmt: skip
        store.append("clock", [NewFact(fact_id=f"t{number}", fact=TimePassed(until=at),
                                       occurred_at=at)])  # fmt: skip
    latest = store.trail.latest(limit=2)
    assert [item.entry.fact_id for item in latest] == ["t2", "f2"]
    assert len({item.chain for item in latest}) == 2
    older = store.trail.latest(before=latest[-1].entry.position, stream="freeze")
    assert [item.entry.fact_id for item in older] == ["f1", "f0"]
    assert [i.entry.fact_id for i in store.trail.latest(actor="anna", type_name="freeze.set")] == [
        "f2",
        "f1",
        "f0",
    ]
    since = store.trail.since(AT + timedelta(minutes=1), ("freeze.set",))
    assert [entry.fact_id for entry in since] == ["f1", "f2"]
