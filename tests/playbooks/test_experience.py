"""Experience chooses among equally safe playbooks, and never at production's risk."""

import random
from typing import Any

from playbooks.choice import by_experience, names_of_example
from playbooks.model import ActionSpec, ApprovalSpec, Playbook
from recoup.domain.outcomes import PlaybookRecord

NAMES = names_of_example({"kind": "flag"}, {})


def playbook(name: str, priority: int = 50, **more: Any) -> Playbook:
    actions = (ActionSpec(action="flag_rollback"),)
    return Playbook(
        **{"name": name, "title": name, "priority": priority, "when": "true", "actions": actions}
        | more
    )


def first(fitting: list[Playbook], records: dict[str, PlaybookRecord], chance: str = "1") -> str:
    return by_experience(fitting, NAMES, records, chance)[0].name


def test_what_helps_more_is_chosen_more_in_the_end() -> None:
    fitting = [playbook("favoured", 70), playbook("better", 50)]
    chances = {"favoured": 0.35, "better": 0.9}
    life = random.Random(3)
    records: dict[str, PlaybookRecord] = {}
    chosen = []
    for number in range(120):
        name = first(fitting, records, f"inc_{number}:1")
        chosen.append(name)
        old = records.get(name, PlaybookRecord())
        helped = life.random() < chances[name]
        records[name] = PlaybookRecord(helped=old.helped + helped, failed=old.failed + (not helped))
    assert chosen[:10].count("favoured") >= 5
    assert chosen[-40:].count("better") >= 36


def test_nothing_riskier_is_ever_tried_out() -> None:
    safe = playbook("safe", 80)
    records = {
        "safe": PlaybookRecord(failed=50),
        **{name: PlaybookRecord(helped=50) for name in ("riskier", "unasked", "for_good", "idle")},
    }
    fitting = [
        safe,
        playbook("riskier", risk="medium"),
        playbook("unasked", approval=ApprovalSpec(automatic=True)),
        playbook("for_good", undo="keep"),
        playbook("idle", actions=()),
        playbook("broken", risk="{{ 1 / 0 }}"),
    ]
    assert {first(fitting, records, str(n)) for n in range(50)} == {"safe"}


def test_a_repeat_chooses_the_same_and_forgets_nobody() -> None:
    fitting = [playbook("aa"), playbook("bb"), playbook("cc", risk="high")]
    orders = [[each.name for each in by_experience(fitting, NAMES, {}, "x")] for _ in range(5)]
    assert orders == [orders[0]] * 5
    assert sorted(orders[0]) == ["aa", "bb", "cc"]
    assert by_experience([], NAMES, {}, "x") == []


def test_being_passed_over_counts_against_a_playbook() -> None:
    fitting = [playbook("aa", 60), playbook("bb", 60)]
    records = {"aa": PlaybookRecord(passed_over=60)}
    chosen = [first(fitting, records, str(n)) for n in range(40)]
    assert chosen.count("bb") > 35
