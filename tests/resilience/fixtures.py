"""Fixtures that several folders' `conftest.py` import."""

from collections.abc import Iterator

import pytest

from gateway.clever.client import CleverClient, ClientLimits, Version
from gateway.clever.events import CallSent
from gateway.clever.retry import Backoff
from tests.resilience.faulty import Faulty, faulty_upstream

# Waits as short as they may be, so that tests of retries are quick.
QUICK = Backoff(tries=3, first_s=0.001, longest_s=0.002, pick=lambda low, _high: low)


@pytest.fixture(scope="session")
def faulty_server() -> Iterator[Faulty]:
    """Serve one scripted upstream for all tests."""
    with faulty_upstream() as app:
        yield app


@pytest.fixture
def faulty(faulty_server: Faulty) -> Faulty:
    """Return the scripted upstream with nothing scripted."""
    faulty_server.reset()
    return faulty_server


def connect(
    faulty: Faulty,
    *,
    timeout_s: float = 5.0,
    concurrency: int = 32,
    max_bytes: int = 1_000_000,
    version: Version = "v3.1",
    heard: list[CallSent] | None = None,
) -> CleverClient:
    """Build a client of the scripted upstream, to be entered by the caller."""
    limits = ClientLimits(timeout_s, concurrency, max_bytes, QUICK)
    return CleverClient(faulty.origin, version, limits=limits, on_call=(heard if heard is not None else []).append)
