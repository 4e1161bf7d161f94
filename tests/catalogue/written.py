"""Catalogues as a person writes them, and what is found in them."""

from withhold.catalogue.model import Resource
from withhold.catalogue.parse import parse_catalogue
from withhold.names import ResourceName
from withhold.toml.faults import Faults
from withhold.toml.read import read_toml

# Five lines before what a test writes itself, so that its first line is the sixth.
HEAD = """store = "s"

[[resource]]
name = "r"
path = "/r/{id}"
"""
ABOUT = 'subject = { param = "id", kind = "id", confirm = false }\n'


def field(path: str, classified: str = 'kind = "text"') -> str:
    """One line of `[resource.fields]`."""
    return f'"{path}" = {{ category = "subscriber", {classified}, data = "user", means = "m" }}\n'


A = "[resource.fields]\n" + field("$.a")


def read(*texts: str) -> tuple[dict[ResourceName, Resource | None], list[str]]:
    """Read catalogues `0.toml`, `1.toml`, …; each fault as `file:line: message | hint`."""
    faults = Faults()
    tables = [read_toml(f"{i}.toml", text.encode(), faults) for i, text in enumerate(texts)]
    resources = parse_catalogue(table for table in tables if table is not None)
    found = faults.error().faults
    return resources, [
        f"{each.file}:{each.line}: {each.message}" + (f" | {each.hint}" if each.hint else "")
        for each in found
    ]


def faults_of(text: str) -> list[str]:
    """The faults of one catalogue, without the file's name and without hints."""
    return [fault.removeprefix("0.toml:").partition(" | ")[0] for fault in read(text)[1]]


def hints_of(text: str) -> list[str]:
    """The hints of one catalogue's faults."""
    return [fault.partition(" | ")[2] for fault in read(text)[1]]


def resource_of(text: str) -> Resource:
    """The one resource of a catalogue without faults."""
    resources, faults = read(text)
    assert faults == []
    (resource,) = resources.values()
    assert resource is not None
    return resource
