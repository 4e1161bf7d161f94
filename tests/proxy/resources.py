"""Resources for tests of the data plane, as values."""

from withhold.catalogue.model import Field, Page, Param, RequestSubject, Resource
from withhold.kinds.form import Form
from withhold.names import Category, Kind, StoreName
from withhold.paths import parse_path

ID = Form(Kind.ID)


def field(path: str, form: Form = ID) -> Field:
    """A subscriber's field."""
    return Field(parse_path(path), Category.SUBSCRIBER, form, "user.unique_id", "an id")


def resource(
    template: tuple[str | Param, ...],
    *paths: str,
    name: str = "thing",
    subject: RequestSubject | None = None,
    query: tuple[tuple[str, str], ...] = (),
    page: Page | None = None,
) -> Resource:
    """A resource of the store `shop`, about whoever its subject is."""
    return Resource(
        store=StoreName("shop"),
        short_name=name,
        template=template,
        subject=subject,
        query=query,
        page=page,
        absent=frozenset({404}),
        snapshot=True,
        resolves=None,
        fields=tuple(sorted((field(path) for path in paths), key=lambda f: f.label)),
        records=(),
    )
