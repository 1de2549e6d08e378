"""The README's service, served by uvicorn, beside the three services of Gatelog.

Run by `cargo test -p standalone python`, which starts these and says in the environment where they are.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

URL = os.environ.get("GATELOG_TEST_URL", "")
ADMIN = os.environ.get("GATELOG_TEST_ADMIN_TOKEN", "")
TOKEN = os.environ.get("GATELOG_TEST_TOKEN", "")

pytestmark = pytest.mark.skipif(not URL, reason="needs the three services: cargo test -p standalone python")

ROOT = Path(__file__).parents[2]
DEADLINE = 60.0


def until(what: str, holds: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + DEADLINE
    while True:
        value = holds()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.05)


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the example of the README on a free port."""
    folder = tmp_path_factory.mktemp("example")
    example = (ROOT / "README.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    (folder / "example.py").write_text(example, encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT / "src")]),
        "GATELOG_URL": URL,
    }
    command = [sys.executable, "-m", "uvicorn", "example:app", "--port", str(port), "--log-level", "warning"]
    with subprocess.Popen(command, env=environment) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            until("the service answers", lambda: process.poll() is not None or answers(url))
            yield url
        finally:
            process.terminate()


def answers(url: str) -> bool:
    try:
        httpx.get(url)
    except httpx.TransportError:
        return False
    return True


def events(**query: str) -> list[dict[str, Any]]:
    answer = httpx.get(f"{URL}/v1/events", params=query, headers=bearer(ADMIN))
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["events"]
    return found


def test_a_token_of_auth_service_is_accepted_and_the_request_is_found_in_the_log(service: str) -> None:
    answer = httpx.get(f"{service}/orders/7?secret=1", headers={**bearer(TOKEN), "x-request-id": "python-1"})

    assert answer.status_code == 200, answer.text
    assert answer.json()["order"] == 7
    event = until("the request is found", lambda: events(request_id="python-1"))[0]
    assert (event["class"], event["action"], event["outcome"]) == ("access", "reported_request", "granted")
    assert event["actor"]["identity"] == "claimed"
    assert event["actor"]["jti"]
    assert event["reporter"]["client_id"] == os.environ["ORDERS_CLIENT_ID"]
    assert event["source"]["service"] == "api-service"
    assert (event["http"]["route"], event["http"]["path"]) == ("/orders/{order}", "/orders/7")
    assert "secret" not in str(event["http"])


@pytest.mark.parametrize(
    ("token", "code"),
    [
        (TOKEN[:-4] + "AAAA", "token_signature_invalid"),
        (ADMIN, "token_audience_refused"),
        ("nonsense", "token_malformed"),
    ],
)
def test_a_token_that_is_not_good_is_refused_as_the_door_refuses_it(service: str, token: str, code: str) -> None:
    answer = httpx.get(f"{service}/orders/7", headers={**bearer(token), "x-request-id": f"python-{code}"})

    assert (answer.status_code, answer.json()["code"]) == (401, code)
    event = until("the refusal is found", lambda: events(request_id=f"python-{code}"))[0]
    assert (event["outcome"], event["reason"]) == ("denied", code)


def test_a_flood_is_reported_in_full(service: str) -> None:
    with httpx.Client(headers=bearer(TOKEN)) as client:
        for number in range(250):
            assert client.get(f"{service}/orders/{number}", headers={"x-request-id": f"flood-{number}"}).is_success

    for number in (0, 124, 249):
        found = until(f"request {number} is found", partial(events, request_id=f"flood-{number}"))
        assert len(found) == 1
