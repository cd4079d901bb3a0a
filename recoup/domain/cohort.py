"""A cohort: a set of ``dimension=value``, with ``{}`` for everyone."""

from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict, RootModel, field_validator


class Cohort(RootModel[dict[str, str]]):
    """Those sessions whose dimensions have all of these values; ``{}`` is everyone.

    In JSON it is the plain object ``{"os": "iOS 16", "browser": "Safari"}``, keys in order.
    """

    model_config = ConfigDict(frozen=True)
    root: dict[str, str] = {}

    @field_validator("root", mode="after")
    @classmethod
    def _in_order(cls, root: dict[str, str]) -> dict[str, str]:
        return dict(sorted(root.items()))

    def __hash__(self) -> int:
        return hash(tuple(self.root.items()))

    def __len__(self) -> int:
        return len(self.root)

    @property
    def label(self) -> str:
        """``browser=Safari, os=iOS 16``, or ``everyone``."""
        return ", ".join(f"{name}={value}" for name, value in self.root.items()) or "everyone"

    def covers(self, dims: Mapping[str, str]) -> bool:
        """Tell whether a session with these dimensions belongs to the cohort."""
        return all(dims.get(name) == value for name, value in self.root.items())

    def contains(self, other: "Cohort") -> bool:
        """Tell whether ``other`` is this cohort or a part of it."""
        return self.covers(other.root)

    def contradicts(self, other: "Cohort") -> bool:
        """Tell whether some dimension that both name has different values."""
        return any(other.root.get(name, value) != value for name, value in self.root.items())

    def shares(self, other: "Cohort") -> bool:
        """Tell whether both name the same value of some dimension, or one is everyone."""
        return not self.root or not other.root or bool(self.root.items() & other.root.items())

    def likeness(self, other: "Cohort") -> float:
        """Return the Jaccard index of both as sets of ``dimension=value``."""
        either = self.root.items() | other.root.items()
        return len(self.root.items() & other.root.items()) / len(either) if either else 1.0

    def overlaps_scope(self, scope: Mapping[str, Any]) -> bool:
        """Tell whether a change's scope (values may be lists) and this cohort can meet."""
        return all(
            name not in scope
            or (value == scope[name] if isinstance(scope[name], str) else value in scope[name])
            for name, value in self.root.items()
        )


EVERYONE = Cohort({})
