from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from issuer import Issuer, running


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with running(Issuer()) as one:
        yield one
