"""Finds what vendors bring by the name of its module, so that adding one is adding a file."""

import importlib
import importlib.util
import pkgutil
from collections.abc import Iterator
from types import ModuleType


def modules(name: str) -> Iterator[ModuleType]:
    """Yield every ``integrations/<vendor>/<name>.py``, in the order of the vendors' names."""
    import integrations

    vendors = sorted(
        each.name for each in pkgutil.iter_modules(integrations.__path__) if each.ispkg
    )
    for vendor in vendors:
        place = f"integrations.{vendor}.{name}"
        if importlib.util.find_spec(place) is not None:
            yield importlib.import_module(place)
