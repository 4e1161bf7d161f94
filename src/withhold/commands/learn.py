"""List what a recorded answer holds and no catalogue declares, as a skeleton to complete.

Every line of the skeleton is commented out: what is not declared is withheld, and stays withheld
until a person says what it is. Kinds are guessed from the form of values; values are not printed.
Member names are printed, except where they look like data: those are proposed as `.*`. A name that
does not look like data may be somebody's all the same: read the skeleton before you share it.
Where `.*` is wrong, declare one of the members by its name: the others are then listed by theirs.

  withhold learn synapse/whois < ANSWER.json
"""

import argparse
from collections.abc import Iterable
from typing import Final

from withhold import config
from withhold.catalogue.learn import Json, Undeclared, learn
from withhold.catalogue.model import Resource
from withhold.commands.options import add_config, add_json, config_folder
from withhold.commands.recorded import STANDARD_INPUT, as_document, read_answer
from withhold.errors import BadRequest
from withhold.kinds.form import Form
from withhold.minimize.document import parse_document
from withhold.names import Part, ResourceName
from withhold.paths import print_path
from withhold.terminal import Exit, note, out, out_json

_LAST_OF_FOUR: Final = 0xFFFF  # TOML: `\\uXXXX` up to here, `\\UXXXXXXXX` beyond


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("resource", type=ResourceName, metavar="STORE/NAME", help="the resource")
    parser.add_argument(
        "--ndjson", action="store_true", help="the answer is a stream: one document a line"
    )
    add_json(parser)
    add_config(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Read an answer from standard input and print the skeleton."""
    name: ResourceName = arguments.resource
    if name.count("/") != 1:
        message = "a resource is written STORE/NAME, such as synapse/whois"
        raise BadRequest(message)
    resource = config.load(config_folder(arguments)).bundle.catalogue.resources.get(name)
    body = read_answer(STANDARD_INPUT)
    if arguments.ndjson:
        found = learn(map(_parse, filter(bytes.strip, body.split(b"\n"))), resource)
    else:
        with as_document(body):
            found = learn([_parse(body)], resource)
    if arguments.json:
        out_json([_as_json(each) for each in found])
        return Exit.DONE
    for line in skeleton(name, resource, found):
        out(line)
    note(f"{len(found)} undeclared, all withheld")
    return Exit.DONE


def _parse(body: bytes) -> Json:
    return parse_document(body)


def skeleton(
    name: ResourceName, resource: Resource | None, found: Iterable[Undeclared]
) -> Iterable[str]:
    """Give the lines of a catalogue file, all of them commented out."""
    yield f"# {name}: what a recorded answer holds and no catalogue declares."
    yield "# Withheld until a line is completed and uncommented; `kind` is guessed from form alone."
    if resource is None:
        store, _, short = name.partition("/")
        yield f"# store = {_quoted(store)}"
        yield "# [[resource]]"
        yield f"# name = {_quoted(short)}"
        yield '# path = ""'
    yield "# [resource.fields]"
    for each in found:
        yield f"# {_quoted(print_path(each.path))} = {_declaration(each)}"


def _declaration(each: Undeclared) -> str:
    if each.mixed:
        return "...  # a scalar here and a container there: it can't be declared"
    kind = 'kind = ""' if each.guess is None else _form(each.guess)
    declared = f'{{ category = "", {kind}, data = "", means = "" }}'
    declared = f"{{ key = {declared} }}" if each.part is Part.KEY else declared
    return declared if each.guess is not None else f"{declared}  # only null was seen"


def _form(form: Form) -> str:
    unit = "" if form.unit is None else f", unit = {_quoted(form.unit)}"
    return f"kind = {_quoted(form.kind)}{unit}"


def _quoted(text: str) -> str:
    """Give a TOML basic string in printable ASCII: no name of an answer can move a cursor."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in {'"', "\\"}:
        return f"\\{character}"
    point = ord(character)
    if character.isascii() and character.isprintable():
        return character
    return f"\\u{point:04x}" if point <= _LAST_OF_FOUR else f"\\U{point:08x}"


def _as_json(each: Undeclared) -> dict[str, str | bool | None]:
    guess = each.guess
    return {
        "path": print_path(each.path),
        "part": each.part,
        "kind": None if guess is None else guess.kind,
        "unit": None if guess is None else guess.unit,
        "mixed": each.mixed,
    }
