"""The example of the README is a service that works."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from issuer import Issuer

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def example() -> str:
    found = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert found is not None
    return found.group(1)


def test_the_example_lets_in_who_may_and_reports_it(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATELOG_URL", issuer.url)
    monkeypatch.setenv("ORDERS_CLIENT_ID", "cli_1")
    monkeypatch.setenv("ORDERS_CLIENT_SECRET", "a secret of the client")
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(example(), "README.md", "exec"), names)

    with TestClient(names["app"]) as client:
        granted = client.get("/orders/7", headers={"authorization": f"Bearer {issuer.token()}"})
        denied = client.get("/orders/7")

    assert granted.json() == {"order": 7, "for": "ada"}
    assert denied.json()["code"] == "token_missing"
    assert [entry["outcome"] for entry in issuer.entries] == ["granted", "denied"]


def test_the_example_is_short() -> None:
    assert len([line for line in example().splitlines() if line.strip()]) <= 20
