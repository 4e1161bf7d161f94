"""Policies as a person writes them, over one small catalogue, and what is found in them."""

from withhold.catalogue.parse import parse_catalogue
from withhold.policy.model import Policy
from withhold.policy.parse import parse_policy
from withhold.toml.faults import Faults
from withhold.toml.read import read_toml

CATALOGUE = """store = "s"
[[resource]]
name = "r"
path = "/r/{id}"
subject = { param = "id", kind = "id", confirm = false }
snapshot = true
[resource.fields]
"$.a" = { category = "subscriber", kind = "text", data = "user.name", means = "m" }
"$.b[*].ip" = { category = "identifying", kind = "ip", data = "user.device", means = "m" }
"$.c" = { when = { field = "d", is = "x" }, category = "content", kind = "text", data = "user", means = "m" }
[[resource]]
name = "q"
path = "/q/{id}"
subject = { param = "id", kind = "id", confirm = false }
snapshot = true
[resource.fields]
"$.z" = { category = "subscriber", kind = "text", data = "user.name", means = "m" }
"""  # noqa: E501 - an inline table has one line
FAULTY = """store = "t"
[[resource]]
name = "bad"
path = "/bad"
"""

# Six lines before what a test writes itself, so that its first line is the seventh.
ORDER = """[instrument.order]
title = "An order"
jurisdiction = "US"
covers = ["subscriber", "identifying"]
approvals = 1

"""


def read(*texts: str, catalogues: tuple[str, ...] = (CATALOGUE,)) -> tuple[Policy, list[str]]:
    """Read policies `0.toml`, `1.toml`, …; each fault as `file:line: message | hint`."""
    faults = Faults()
    unheard = Faults()
    described = [read_toml("c.toml", text.encode(), unheard) for text in catalogues]
    resources = parse_catalogue(table for table in described if table is not None)
    tables = [read_toml(f"{i}.toml", text.encode(), faults) for i, text in enumerate(texts)]
    policy = parse_policy([table for table in tables if table is not None], resources)
    return policy, [
        f"{each.file}:{each.line}: {each.message}" + (f" | {each.hint}" if each.hint else "")
        for each in faults.error().faults
    ]


def faults_of(text: str) -> list[str]:
    """The faults of one policy, without the file's name and without hints."""
    return [fault.removeprefix("0.toml:").partition(" | ")[0] for fault in read(text)[1]]


def hints_of(text: str) -> list[str]:
    """The hints of one policy's faults."""
    return [fault.partition(" | ")[2] for fault in read(text)[1]]


def policy_of(text: str) -> Policy:
    """A policy without faults."""
    policy, faults = read(text)
    assert faults == []
    return policy
