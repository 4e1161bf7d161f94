"""The routes of the control plane: who may use each, and what is there for nobody."""

import pytest

from tests.control.plane import TOKENS, Plane, W
from tests.warrants import approved
from withhold.adapters.database import Database
from withhold.names import Role

OPERATES = [
    ("POST", "/warrants"),
    ("POST", f"{W}/signatures"),
    ("POST", f"{W}/suspend"),
    ("POST", f"{W}/resume"),
    ("POST", f"{W}/revoke"),
    ("POST", f"{W}/close"),
    ("POST", "/freezes"),
    ("DELETE", "/freezes"),
]
LOOKS = [("GET", "/warrants"), ("GET", W), ("GET", "/status")]


@pytest.mark.parametrize(("method", "path"), [*OPERATES, *LOOKS, ("GET", "/bundle")])
async def test_nobody_without_a_token(plane: Plane, method: str, path: str) -> None:
    assert await plane.call(method, path, role=None) == (401, "unauthenticated")


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize(("method", "path"), [*OPERATES, *LOOKS, ("GET", "/bundle")])
async def test_each_role_does_its_own(plane: Plane, role: Role, method: str, path: str) -> None:
    status, found = await plane.call(method, path, role=role)
    allowed = role is Role.OPERATE or (
        role is (Role.TUNE if path == "/bundle" else Role.AUDIT) and (method, path) not in OPERATES
    )
    assert ((status, found) != (403, "role-not-allowed")) == allowed


async def test_what_is_not_there_is_said_so(plane: Plane) -> None:
    for method, path, body in (
        ("GET", W, None),
        ("POST", f"{W}/suspend", None),
        ("POST", f"{W}/close", None),
        ("POST", f"{W}/signatures", approved()),
        ("POST", f"{W}/resume", approved()),
    ):
        assert await plane.call(method, path, body) == (404, "warrant-unknown")
    assert await plane.call("GET", "/warrants/") == (404, "no-such-resource")
    assert await plane.call("GET", "/nothing") == (404, "no-such-resource")
    assert await plane.call("DELETE", W) == (405, "method-not-allowed")


async def test_is_ready_while_the_database_answers(plane: Plane, database: Database) -> None:
    assert await plane.call("GET", "/healthz", role=None) == (200, {"status": "ok"})
    assert await plane.call("GET", "/readyz", role=None) == (200, {"status": "ok"})
    database.close()
    assert await plane.call("GET", "/healthz", role=None) == (200, {"status": "ok"})
    assert await plane.call("GET", "/readyz", role=None) == (503, "database-unavailable")


async def test_gives_metrics_without_a_token(plane: Plane) -> None:
    answer = await plane.client.get("/metrics")
    assert answer.text == "up 1\n"


async def test_what_nobody_foresaw_is_500_and_tells_nothing(
    plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(*_: object) -> None:
        message = "canary"
        raise RuntimeError(message)

    monkeypatch.setattr(plane.registry, "list", breaks)
    answer = await plane.client.get(
        "/warrants", headers={"Authorization": f"Bearer {TOKENS[Role.AUDIT]}"}
    )
    assert answer.status_code == 500
    assert "canary" not in answer.text
