"""Form: a kind with its options, the promise that a value must keep to leave (contract §4)."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from withhold.names import Kind, Unit

TEXT_KINDS: Final = frozenset({Kind.PHONE, Kind.IP, Kind.EMAIL, Kind.TEXT})  # always a JSON string


@dataclass(frozen=True)
class Form:
    """A kind and its options; only the options of that kind are ever set."""

    kind: Kind
    region: str | None = None  # phone: ISO 3166-1 alpha-2, for numbers written nationally
    msisdn: bool = False  # phone: international digits without `+`
    unit: Unit | None = None  # timestamp: always set
    pattern: str | None = None  # id: matched whole

    @cached_property
    def matcher(self) -> re.Pattern[str] | None:
        """The compiled `pattern`."""
        return None if self.pattern is None else re.compile(self.pattern)
