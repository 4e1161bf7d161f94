"""Another document that must give the same answer: all that does not decide is changed.

What is kept: the leaves that may leave, and what decides about any leaf (its scopes' subject and
time, its `when`, its key, `confirm`). What is changed: members that no path names, leaves that are
withheld, everything else of records that are out of scope, empty company for what is repeated,
values that a later one of the same name replaces, order of members, white space and escapes.
"""

import json
from random import Random
from typing import Any

from tests.documents import Case
from tests.minimize.oracle import Steps, leaves
from withhold.kinds.scalar import Number
from withhold.paths import Path, Wild

JUNK = [
    *('"CANARY"', '{"CANARY":[1,{"time":"CANARY"}]}', "1.5e3", "[]", "{}", "null", "true", "-0"),
    *('"\\ud800CANARY"', '{"\\ud800CANARY":1}', "[" * 60 + "]" * 60, "1e999", '"\\u0000"'),
]
CONTAINERS = ['{"CANARY":1}', '["CANARY"]', "[]", "{}"]


class Scrambler:
    """One document's scrambling."""

    def __init__(self, rng: Random, case: Case, document: object) -> None:
        """Find out what has to be kept."""
        self.rng = rng
        self.kept: set[Steps] = {leaf.steps for leaf in leaves(case, document)}
        self.deciding = _deciding(case)
        covered = {entry.field.path for entry in case.allowlist.leaves}
        self.ways = {path[:i] for path in covered | self.deciding for i in range(len(path))}
        self.covered = covered
        subject = case.allowlist.resource.subject
        confirm = () if subject is None or subject.confirm is None else subject.confirm
        self.confirmed = {confirm[:i] for i in range(len(confirm))}

    def text(self, value: Any, path: Path = (), steps: Steps = ()) -> str:  # noqa: ANN401 - any JSON
        """Give the text of `value`, which stands at `path`, changed where that changes nothing."""
        if path in self.deciding:
            return self.literal(value)
        if path in self.covered:
            # What is covered and withheld has not its form, or is beside the point: a container.
            return self.literal(value) if steps in self.kept else self.junk(*CONTAINERS)
        if path not in self.ways:
            return self.junk()
        if isinstance(value, list) and (*path, Wild.ELEMENTS) in self.below(path):
            return self.array(value, (*path, Wild.ELEMENTS), steps)
        if isinstance(value, dict) and (*path, Wild.MEMBERS) in self.below(path):
            return self.map(value, (*path, Wild.MEMBERS), steps)
        if isinstance(value, dict) and (*path, Wild.ELEMENTS) not in self.below(path):
            return self.object(value, path, steps)
        # A container of another type than the path says (or null): nothing in it can decide.
        if path in self.confirmed:
            return self.literal(value)
        return self.junk('"CANARY"', "1", "null")

    def below(self, path: Path) -> set[Path]:
        """Give the places that lie one step beneath a place."""
        known = self.ways | self.covered | self.deciding
        return {each for each in known if each[:-1] == path and each}

    def array(self, items: list[Any], path: Path, steps: Steps) -> str:
        """Give an array; elements under which nothing is disclosed may join it."""
        texts = []
        for i, item in enumerate(items):
            texts += self.company(path)
            texts.append(self.text(item, path, (*steps, i)))
        return self.join("[", texts + self.company(path), "]")

    def map(self, members: dict[str, Any], path: Path, steps: Steps) -> str:
        """Give an object that is keyed by data, in its order; empty members may join it."""
        texts = []
        for key, item in members.items():
            texts += [f'"CANARY{self.rng.random()}":{each}' for each in self.company(path)]
            texts.append(f"{self.string(key)}:{self.text(item, path, (*steps, key))}")
        return self.join("{", texts, "}")

    def company(self, path: Path) -> list[str]:
        """Give what discloses nothing, wherever it may stand beside what does."""
        if path[:-1] in self.confirmed or self.rng.random() < 0.7:
            return []  # where the answer repeats its subject, every element must agree
        # Of two empty containers one has not the type that the path says; a leaf has neither.
        return [self.rng.choice(["{}", "[]"])]

    def object(self, members: dict[str, Any], path: Path, steps: Steps) -> str:
        """Give an object with named members: in any order, with others beside and before them."""
        texts = [
            f"{self.string(name)}:{self.text(item, (*path, name), (*steps, name))}"
            for name, item in members.items()
        ]
        self.rng.shuffle(texts)
        if self.rng.random() < 0.5:
            texts.insert(self.rng.randint(0, len(texts)), f'"CANARY":{self.junk()}')
        if members and self.rng.random() < 0.3:
            # A repeated name: the last one counts.
            texts.insert(0, f"{self.string(self.rng.choice(list(members)))}:{self.junk()}")
        return self.join("{", texts, "}")

    def junk(self, *choices: str) -> str:
        """Give something else."""
        return self.rng.choice(choices or JUNK)

    def literal(self, value: Any) -> str:  # noqa: ANN401 - any JSON
        """Give the same value in other words."""
        if isinstance(value, Number):
            return value.text
        if isinstance(value, str):
            return self.string(value)
        if isinstance(value, list):
            return self.join("[", [self.literal(item) for item in value], "]")
        if isinstance(value, dict):
            return self.join(
                "{", [f"{self.string(k)}:{self.literal(v)}" for k, v in value.items()], "}"
            )
        return json.dumps(value)

    def string(self, text: str) -> str:
        """Give a string, some of its characters as escapes."""
        return "".join(['"', *(self.character(c) for c in text), '"'])

    def character(self, c: str) -> str:
        """Give a character, as it is or as an escape."""
        if self.rng.random() < 0.9 and not "\ud800" <= c <= "\udfff":
            return json.dumps(c, ensure_ascii=False)[1:-1]
        return "".join(
            f"\\u{unit.hex()}" if self.rng.random() < 0.5 else f"\\u{unit.hex().upper()}"
            for unit in _units(c)
        )

    def join(self, opening: str, texts: list[str], closing: str) -> str:
        """Put texts together with white space of any kind."""
        space = self.rng.choice(["", "", " ", "\n", "\r\n\t"])
        return opening + space + f"{space},{space}".join(texts) + space + closing


def _units(c: str) -> list[bytes]:
    data = c.encode("utf-16-be", "surrogatepass")
    return [data[i : i + 2] for i in range(0, len(data), 2)]


def _deciding(case: Case) -> set[Path]:
    resource = case.allowlist.resource
    deciding: set[Path] = set()
    for record in resource.records:
        names = [] if record.subject is None else list(record.subject.fields)
        names += [] if record.time is None else [record.time.field]
        deciding |= {(*record.each, *each) for each in names}
    for entry in case.allowlist.entries:
        if entry.field.when is not None:
            deciding.add((*entry.field.base, *entry.field.when.field))
    if resource.subject is not None and resource.subject.confirm is not None:
        deciding.add(resource.subject.confirm)
    return deciding


def scramble(rng: Random, case: Case, document: object) -> str:
    """Give another document whose answer must be the same."""
    text = Scrambler(rng, case, document).text(document)
    return rng.choice(["", " ", "\n"]) + text + rng.choice(["", "\t", "\r\n"])
