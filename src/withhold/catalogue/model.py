"""The catalogue as values: stores, resources, fields, records.

Made by `parse`, checked there, frozen here. Everything downstream may rely on: every path is
canonical; a place is a leaf or a container and never both; names and `.*` do not mix at one place;
every record's time names a declared timestamp; variants of one path exclude each other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from withhold.kinds.form import Form
from withhold.names import Category, Part, ResourceName, StoreName
from withhold.paths import Names, Path, Wild, print_names, print_path


@dataclass(frozen=True)
class When:
    """The neighbour that tells which variant a value is, compared as exact JSON."""

    field: Names  # from the innermost array element or map member, else from the root
    value: str | int | bool  # `is` in the file


@dataclass(frozen=True)
class Field:
    """One classified place: a leaf's value (or one variant of it), or the keys of a map."""

    path: Path
    category: Category
    form: Form
    data: str  # fideslang data category, such as `user.device.ip_address`
    means: str  # for the reader of a disclosure
    part: Part = Part.VALUE
    when: When | None = None

    @cached_property
    def label(self) -> str:
        """What messages, tests and diffs call it: the path, and what else tells it apart."""
        path = print_path(self.path)
        if self.part is Part.KEY:
            return f"{path} key"
        if self.when is None:
            return path
        value = (
            f'"{self.when.value}"'
            if isinstance(self.when.value, str)
            else str(self.when.value).lower()
        )
        return f"{path} when {print_names(self.when.field)} is {value}"

    @cached_property
    def base(self) -> Path:
        """Where `when.field` starts from: the innermost element or member, else the root."""
        last = max(
            (i for i, segment in enumerate(self.path) if isinstance(segment, Wild)), default=-1
        )
        return self.path[: last + 1]


@dataclass(frozen=True)
class RequestSubject:
    """Whom a request is about: a parameter of its path, and where the answer repeats it."""

    param: str
    form: Form
    confirm: Path | None  # None: `confirm = false`, the answer does not repeat it


@dataclass(frozen=True)
class RecordSubject:
    """Whom a record is about: any one of these places; the empty path is the element itself."""

    fields: tuple[Names, ...]
    form: Form


@dataclass(frozen=True)
class RecordTime:
    """When a record is: a declared timestamp within it."""

    field: Names
    form: Form


@dataclass(frozen=True)
class Record:
    """Every element at `each` is a record of its own, in scope by subject, by time or by both."""

    each: Path
    subject: RecordSubject | None
    time: RecordTime | None


@dataclass(frozen=True)
class Page:
    """How a store pages: where the next cursor stands, and how it is sent."""

    next: Names  # from the root
    param: str
    limit: tuple[str, str] | None  # query parameter and its value
    max: int  # pages


@dataclass(frozen=True)
class Resolves:
    """A lookup: the answer names another identifier of the same person."""

    to: Path
    form: Form


@dataclass(frozen=True)
class Param:
    """A path segment that the caller fills."""

    name: str


@dataclass(frozen=True)
class Resource:
    """One endpoint of a store: its path template and its shape."""

    store: StoreName
    short_name: str
    template: tuple[str | Param, ...]  # the path's segments, decoded
    subject: RequestSubject | None
    query: tuple[tuple[str, str], ...]
    page: Page | None
    absent: frozenset[int]
    snapshot: bool
    resolves: Resolves | None
    fields: tuple[Field, ...]  # by label
    records: tuple[Record, ...]  # by path, outer before inner

    @cached_property
    def name(self) -> ResourceName:
        """`store/name`, as policies, warrants and commands write it."""
        return ResourceName(f"{self.store}/{self.short_name}")

    @cached_property
    def params(self) -> frozenset[str]:
        """The names that the template leaves to the caller."""
        return frozenset(segment.name for segment in self.template if isinstance(segment, Param))

    def records_around(self, path: Path) -> tuple[Record, ...]:
        """Give the records that hold `path`, outermost first."""
        return tuple(record for record in self.records if path[: len(record.each)] == record.each)


@dataclass(frozen=True)
class Catalogue:
    """All resources of all stores."""

    resources: Mapping[ResourceName, Resource]
