"""What people say of an incident changes what is normal: the same pattern again is no news."""

from datetime import UTC, datetime, timedelta

from detectors.configuration import DetectionConfig
from detectors.engine import DetectionEngine
from recoup.demo.shop import Fault, Shop
from recoup.domain.cohort import Cohort
from recoup.domain.facts import FeedbackGiven, FeedbackWithdrawn, IncidentOpened, Recorded
from recoup.domain.series import EventBlock

START = datetime(2026, 11, 2, tzinfo=UTC)
ODD = Fault(campaign="ig_sale", os="iOS 16", browser="Safari", drop=0.6)
OTHER = Fault(campaign="newsletter", os="Android 14", browser="Chrome", drop=0.95)


class Evening:
    """A shop and the engine that watches it, played hour by hour."""

    def __init__(self) -> None:
        now_ms = int(START.timestamp() * 1000)
        self.shop = Shop(9, now_ms, now_ms, sale_factor=2.0, fault=ODD)
        config = DetectionConfig(warm_up_ms=30 * 3_600_000, charts=False)
        self.engine = DetectionEngine(config)
        self.position = 1

    def until(self, hour: float, *, broken: bool) -> list[IncidentOpened]:
        self.shop.flag = lambda _dims: broken
        moment = START + timedelta(hours=hour)
        lines = self.shop.until(moment)
        received = int(moment.timestamp() * 1000)
        for at in range(0, len(lines), 5000):
            part = lines[at : at + 5000]
            block = EventBlock(self.position, len(part), received, b"\n".join(part))
            self.engine.observe_events(block)
            self.position += len(part)
        facts = [new.fact for _, new in self.engine.take_facts()]
        return [fact for fact in facts if isinstance(fact, IncidentOpened)]

    def say(self, fact: FeedbackGiven | FeedbackWithdrawn, hour: float) -> None:
        at = START + timedelta(hours=hour)
        self.engine.observe_fact(
            Recorded(
                position=self.position,
                stream=fact.incident_id,
                version=1,
                fact_id="f",
                occurred_at=at,
                recorded_at=at,
                actor="anna",
                fact=fact,
            )
        )

    def restart(self) -> None:
        self.engine = DetectionEngine.restore(self.engine.config, self.engine.snapshot())

    def own_level(self, opened: IncidentOpened) -> float:
        """Return the log-odds that the cohort of an incident was given for itself."""
        watching = self.engine.watching
        learner = watching.baseline.learners[watching.plan.names.index(opened.metric)]
        levels = [w for name, w in learner.model.weights.items() if name.startswith("accepted:")]
        return float(sum(levels))


def test_a_false_positive_teaches_the_pattern_but_no_other() -> None:
    evening = Evening()
    assert evening.until(36, broken=False) == []
    opened = evening.until(38, broken=True)
    assert len(opened) == 1
    assert set(opened[0].cohort.root.items()) <= {
        ("campaign", "ig_sale"),
        ("os", "iOS 16"),
        ("browser", "Safari"),
    }
    false = FeedbackGiven(incident_id=opened[0].incident_id, label="false_positive", by="anna")
    evening.say(false, 38)
    evening.restart()
    assert evening.until(43, broken=True) == []
    evening.restart()
    evening.shop.fault = OTHER
    again = evening.until(46, broken=True)
    assert [fact.cohort for fact in again if fact.cohort.root.get("campaign") == "newsletter"]
    assert Cohort({"campaign": "ig_sale"}) not in [fact.cohort for fact in again]
    level = evening.own_level(opened[0])
    assert level < -0.5, "what lasted is the cohort's new level"
    evening.say(FeedbackWithdrawn(incident_id=opened[0].incident_id, by="bob"), 46)
    assert abs(evening.own_level(opened[0])) < abs(level) / 2, "taken back, it is no longer so"
