"""What every fact is; the facts themselves are in ``recoup.domain.facts``."""

from typing import ClassVar

from recoup.domain.base import Frozen


class Fact(Frozen):
    """Something that happened. Subclasses set ``type_name``; ``schema_version`` starts at 1."""

    type_name: ClassVar[str]
    schema_version: ClassVar[int] = 1
