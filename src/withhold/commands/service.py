"""The running Withhold, as the commands reach it: WITHHOLD_URL, and a caller's token.

One command asks the data plane instead, which is at WITHHOLD_DATA_URL: `token reveal`.

The token is read from the environment or a private file, never from an argument, and is sent to
that address only: no proxy of the environment is asked, no redirect followed.
"""

import argparse
import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import httpx

from withhold.adapters.keyfiles import read_private
from withhold.errors import BadRequest, WithholdError
from withhold.terminal import printable

DEFAULT_URL: Final = "http://127.0.0.1:8471"
DEFAULT_DATA_URL: Final = "http://127.0.0.1:8470"
TIMEOUT_S: Final = 10.0
MAX_ANSWER_BYTES: Final = 128 * 2**20  # more than a receipt's proof, the longest that there is

# What one plane says to a command that is for the other. The right one says what is not there.
_NOT_HERE: Final = frozenset(
    {
        "no resource in the catalogue has this path",
        "only GET is answered",
        "there is nothing here that takes this",
    }
)
_OTHER_PLANE: Final = {
    "WITHHOLD_URL": "is it the data plane's address? commands ask the control plane",
    "WITHHOLD_DATA_URL": "is it the control plane's address? this asks the data plane",
}

Json: TypeAlias = Any  # whatever the control plane answers; each command takes out what it shows


class Refused(WithholdError):
    """The service answered, and said no; `code` is the problem's."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        """`message`: what the service said."""
        super().__init__(message, hint)
        self.code = code


class Unreachable(WithholdError):
    """There was no answer that could be used."""


def add_token_file(parser: argparse.ArgumentParser) -> None:
    """Add `--token-file`."""
    parser.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help="a file (mode 0600) with the caller's token; else WITHHOLD_TOKEN",
    )


class Service:
    """One control plane, or data plane. Raises: Refused, Unreachable."""

    def __init__(self, url: str, token: str, variable: str = "WITHHOLD_URL") -> None:
        """`url`: without a path; `variable`: of the environment, where it comes from."""
        self._url = url
        self._token = token
        self._variable = variable
        self._kept: httpx.Client | None = None

    def get(self, path: str, *, timeout_s: float = TIMEOUT_S) -> Json:
        """Give what stands at `path`."""
        return self._call("GET", path, None, timeout_s=timeout_s)[0]

    def post(self, path: str, body: bytes = b"{}") -> Json:
        """Send a JSON document to `path`."""
        return self._call("POST", path, body)[0]

    def post_for_receipt(self, path: str, body: bytes) -> tuple[Json, str]:
        """Send a JSON document to `path`; give the id of the answer's receipt, too."""
        document, headers = self._call("POST", path, body)
        return document, headers.get("Withhold-Receipt", "")

    def delete(self, path: str, params: Mapping[str, str]) -> Json:
        """Remove what `params` say at `path`."""
        return self._call("DELETE", path, None, params)[0]

    @contextlib.contextmanager
    def connected(self) -> Iterator["Service"]:
        """Keep one connection for many questions."""
        with self._client(TIMEOUT_S) as client:
            self._kept = client
            try:
                yield self
            finally:
                self._kept = None

    def fetch(self, path: str) -> bytes:
        """Give the bytes that stand at `path`, whatever they are."""
        answer = self._ask("GET", path, None)
        if answer.is_success:
            return answer.content
        raise _refusal(self._url, self._variable, answer.status_code, _document(answer))

    def _call(
        self,
        method: str,
        path: str,
        body: bytes | None,
        params: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> tuple[Json, httpx.Headers]:
        answer = self._ask(method, path, body, params, timeout_s)
        document = _document(answer)
        if answer.is_success and document is not None:
            return document, answer.headers
        raise _refusal(self._url, self._variable, answer.status_code, document)

    def _ask(
        self,
        method: str,
        path: str,
        body: bytes | None,
        params: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            with contextlib.ExitStack() as stack:
                client = self._kept
                if client is None:
                    client = stack.enter_context(self._client(timeout_s))
                url = f"{self._url}{path}"
                answer = client.stream(method, url, content=body, headers=headers, params=params)
                return _bounded(stack.enter_context(answer))
        except (httpx.HTTPError, httpx.InvalidURL):
            message = "the service did not answer"
        # Outside, so that no traceback shows what was sent.
        raise Unreachable(message, f"does it run?\n{_asked(self._url, self._variable)}")

    def _client(self, timeout_s: float) -> httpx.Client:
        return httpx.Client(timeout=timeout_s, follow_redirects=False, trust_env=False)


def _bounded(answer: httpx.Response) -> httpx.Response:
    """Read an answer, decoded, no further than it may go. Raises: Unreachable."""
    body = bytearray()
    for piece in answer.iter_bytes():
        body += piece
        if len(body) > MAX_ANSWER_BYTES:
            message = f"the service's answer has more than {MAX_ANSWER_BYTES} bytes"
            raise Unreachable(message)
    encoding = "content-encoding"
    headers = [(name, value) for name, value in answer.headers.multi_items() if name != encoding]
    return httpx.Response(answer.status_code, headers=headers, content=bytes(body))


def service(arguments: argparse.Namespace) -> Service:
    """Find the control plane and the token. Raises: BadRequest, KeyUnavailable."""
    return _service(arguments, "WITHHOLD_URL", DEFAULT_URL)


def data_service(arguments: argparse.Namespace) -> Service:
    """Find the data plane and the token. Raises: BadRequest, KeyUnavailable."""
    return _service(arguments, "WITHHOLD_DATA_URL", DEFAULT_DATA_URL)


def _service(arguments: argparse.Namespace, variable: str, default: str) -> Service:
    url = os.environ.get(variable) or default
    if not url.startswith(("http://", "https://")):
        message = f"{variable} is no http or https address"
        raise BadRequest(message, f"such as {default}")
    if arguments.token_file is not None:
        token = read_private(arguments.token_file).decode(errors="replace").strip()
    else:
        token = os.environ.get("WITHHOLD_TOKEN", "").strip()
    if not token or not token.isascii() or not token.isprintable():
        message = "there is no token to call with"
        raise BadRequest(message, "set WITHHOLD_TOKEN, or name a file with --token-file")
    return Service(url.rstrip("/"), token, variable)


def _document(answer: httpx.Response) -> Json:
    try:
        return answer.json()
    except ValueError:
        return None


def _refusal(url: str, variable: str, status: int, document: Json) -> WithholdError:
    if not isinstance(document, dict) or not isinstance(document.get("code"), str):
        message = f"the service answered {status}, and not as Withhold does"
        return Unreachable(message, _asked(url, variable))
    code = printable(document["code"])
    said = document.get("detail") or document.get("title") or ""
    hint = document.get("hint") or ""
    if not hint and said in _NOT_HERE:
        hint = _OTHER_PLANE[variable]
    text = f"{code}: {printable(str(said))}" if said and said != code else code
    hints = (printable(str(hint)), _asked(url, variable))
    return Refused(code, text, "\n".join(filter(None, hints)))


def _asked(url: str, variable: str) -> str:
    """Say who was asked, and where the address came from."""
    source = variable if os.environ.get(variable) else f"{variable} is not set"
    return f"asked {_shown(url)} ({source})"


def _shown(url: str) -> str:
    """Give a URL as a message may show it: without what stands before an `@`."""
    return printable(url.rpartition("@")[2])
