"""The answers to the questions of ``recoup init``, and what they may be."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from recoup.domain.base import Frozen
from recoup.domain.errors import InvalidInput

ENVIRONMENT_FILE = "recoup.env"
"""The file with keys and secrets; readable by its owner alone."""

SOURCES = ("api", "tracker", "segment", "ga4", "snowplow", "shopify")
"""Where storefront events may come from; ``api`` is your own servers."""

VENDORS = (
    "github",
    "gitlab",
    "launchdarkly",
    "argo",
    "cdevents",
    "shopify",
    "meta_ads",
    "google_ads",
)
"""What may tell of changes."""

WITH_WRITE_KEY = frozenset({"tracker", "segment", "ga4", "snowplow"})
"""Sources that send with a key that everybody may read and that can only add events."""


class Answers(Frozen):
    """What a new user said; every field has a default but the folder."""

    folder: Path
    shop: str = Field(
        default="My shop", min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f]+$"
    )
    sources: tuple[str, ...] = ("api",)
    chat: Literal["slack", "pages"] = "pages"
    vendors: tuple[str, ...] = ()
    shadow: bool = True
    public_url: str = ""
    port: int = Field(default=8787, ge=1, le=65535)
    currency: str = Field(default="EUR", pattern=r"^[A-Z]{3}$")

    @field_validator("public_url")
    @classmethod
    def _address(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in ("http", "https") or not parts.netloc):
            raise ValueError("an address such as https://recoup.example is needed")
        return value.rstrip("/")

    @property
    def local_url(self) -> str:
        """Where Recoup answers on this machine."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def sections(self) -> tuple[str, ...]:
        """The integrations whose settings matter to this shop, by section."""
        found = [*(["slack"] if self.chat == "slack" else []), *self.vendors]
        if WITH_WRITE_KEY & set(self.sources):
            found.append("tracker")
        if "shopify" in self.sources:
            found.append("shopify")
        return tuple(dict.fromkeys(found))


def several(text: str, known: Iterable[str]) -> tuple[str, ...]:
    """Return the names in ``a, b``; ``none`` is no name. Raises InvalidInput for an unknown one."""
    names = [part.strip().lower() for part in text.split(",")]
    found = tuple(dict.fromkeys(name for name in names if name and name != "none"))
    options = tuple(known)
    for name in found:
        if name not in options:
            raise InvalidInput(f"{name!r} is not one of {', '.join(options)}")
    return found


def likely_vendors(folder: Path) -> str:
    """Return which CI a folder's own files point to."""
    if (folder / ".gitlab-ci.yml").exists():
        return "gitlab"
    return "github" if (folder / ".github").exists() else "none"
