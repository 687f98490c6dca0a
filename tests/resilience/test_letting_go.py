"""A failure holds on to nothing large: errors are kept for a while, and must not keep the bodies they are about."""

import gc
import tracemalloc
from collections.abc import Callable

import pytest

from gateway.access.executor import Access
from gateway.access.source import Source
from gateway.access.wants import Rows, Window, want
from gateway.cache.shelf import Shelf
from gateway.clever.allowance import Allowance
from gateway.clever.catalogue import DISTRICT_USERS
from gateway.clever.client import CleverClient, ClientLimits
from gateway.identity import Tenant
from tests.access.scene import Upstream
from tests.resilience.faulty import Fault, edited, listing, sends
from tests.resilience.fixtures import QUICK
from tests.resilience.roster import an_id

MEGABYTE = 1_000_000
TENANT = Tenant("a-token")
PEOPLE = want(DISTRICT_USERS, None, Window(10))
CROWD = listing("/v3.1/users", [{"id": an_id(7, number), "email": "x" * 1_000} for number in range(3_000)])


def elsewhere(_body: object) -> object:
    rows = [{"id": an_id(7, number), "district": an_id(1, number), "email": "x" * 1_000} for number in range(3_000)]
    return listing("/v3.1/users", rows)


FAULTS: dict[str, Callable[[], Fault]] = {
    "too large": lambda: sends(b" " * 9 * MEGABYTE),
    "no JSON": lambda: sends(b"[" + b"1," * (3 * MEGABYTE // 2)),
    "foreign link": lambda: edited(lambda _body: CROWD | {"links": [{"rel": "next", "uri": "//elsewhere/"}]}),
    "many districts": lambda: edited(elsewhere),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_nothing_large_outlives_a_call_that_failed(fault: Callable[[], Fault]) -> None:
    upstream = Upstream()
    limits = ClientLimits(max_bytes=5 * MEGABYTE, backoff=QUICK, failures=1_000)
    async with CleverClient("http://clever", "v3.1", limits=limits, transport=upstream) as client:
        source = Source(client, Shelf(10 * MEGABYTE))

        async def ask() -> None:
            access = Access(source, TENANT, Allowance(30, 100))
            assert not isinstance((await access.rows([PEOPLE]))[PEOPLE], Rows)
            access.close()

        upstream.faulty.always("/users", fault())
        await ask()
        gc.collect()
        gc.disable()
        tracemalloc.start()
        try:
            for _ in range(3):
                await ask()
            left, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            gc.enable()
        await source.aclose()
    assert left < MEGABYTE
