"""Reading facts as they were once written: one function for each step from a version to the next.

The log is never rewritten. A fact whose shape changes raises its class's ``schema_version`` and
adds a step here; a sample of the old shape is kept in ``tests/samples/facts``.
"""

from collections.abc import Callable
from typing import Any

from recoup.domain.errors import LogDamaged
from recoup.domain.facts import FACT_TYPES, Fact

Payload = dict[str, Any]

STEPS: dict[tuple[str, int], Callable[[Payload], Payload]] = {}
"""From (type name, version) to the function that makes the next version's payload."""


def read_fact(type_name: str, schema_version: int, payload: Payload) -> Fact:
    """Return the fact, brought up to the present shape.

    Raises LogDamaged for an unknown type, or a version from the future: both mean that this
    Recoup is older than the one that wrote the log.
    """
    known = FACT_TYPES.get(type_name)
    if known is None:
        raise LogDamaged(f"unknown fact type {type_name!r}; was it written by a newer Recoup?")
    if schema_version > known.schema_version:
        raise LogDamaged(
            f"{type_name} has version {schema_version}, this Recoup knows {known.schema_version}"
        )
    for version in range(schema_version, known.schema_version):
        payload = STEPS[type_name, version](payload)
    return known.model_validate(payload)
