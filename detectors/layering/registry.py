"""Finds the layers: every module in ``detectors.layers`` holds one layer."""

import importlib
import importlib.util
import inspect
import pkgutil
from collections.abc import Mapping, Sequence
from functools import cache

import detectors.layers
from detectors.layering.contract import Layer
from recoup.domain.errors import ConfigurationError


@cache
def known_layers() -> Mapping[str, type[Layer]]:
    """Return the layers of this installation by name, which is that of their module."""
    names = sorted(each.name for each in pkgutil.iter_modules(detectors.layers.__path__))
    return {name: _layer_of(name) for name in names}


def layers_named(names: Sequence[str]) -> dict[str, type[Layer]]:
    """Return the layers with these names.

    Raises ConfigurationError that lists the known ones, or says what to install.
    """
    known = known_layers()
    for name in names:
        if name not in known:
            raise ConfigurationError(f"no layer {name!r}; there are {', '.join(known)}")
        if not is_installed(known[name]):
            package, extra = known[name].needs or ("", "")
            raise ConfigurationError(
                f"the layer {name!r} needs the package {package!r}: pip install 'recoup[{extra}]'"
            )
    return {name: known[name] for name in dict.fromkeys(names)}


def is_installed(layer: type[Layer]) -> bool:
    """Tell whether the package that a layer needs, if any, is there."""
    return layer.needs is None or importlib.util.find_spec(layer.needs[0]) is not None


def _layer_of(name: str) -> type[Layer]:
    module = importlib.import_module(f"{detectors.layers.__name__}.{name}")
    classes = [
        member
        for _name, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, Layer) and member.__module__ == module.__name__
    ]
    if len(classes) != 1 or classes[0].name != name:
        raise ConfigurationError(f"{module.__file__} must define exactly one Layer named {name!r}")
    return classes[0]
