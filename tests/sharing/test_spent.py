"""Spent names: digests that go with their time, and a table that stays small."""

import time

import pytest

from gateway.cache.redis import spent
from gateway.web.spent import Spent
from tests.redis_server import RedisServer
from tests.sharing.scene import processes


async def test_of_several_processes_one_takes_a_name(server: RedisServer) -> None:
    made = []
    async with processes(server, 3) as shared:
        for one in shared:
            names = one.spent("tests")
            names.attach(one.link)
            made.append(Spent(others=names))
        soon = time.time() + 60
        assert [await one.take("a name", soon) for one in made] == [True, False, False]
        assert [await one.take("another", soon) for one in reversed(made)] == [True, False, False]
    held = server.dump()
    assert not any(b"name" in one or b"another" in one for pair in held.items() for one in pair)
    with server.client() as client:
        [table] = [key for key in held if b":spent:" in key]
        assert 0 < client.pttl(table) <= 60_000


async def test_the_table_stays_small_and_keeps_those_that_stay_longest(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spent, "_MOST", 10)
    monkeypatch.setattr(spent, "_AT_ONCE", 4)
    soon = time.time() + 60
    async with processes(server, 1) as [first]:
        names = first.spent("tests")
        names.attach(first.link)
        one = Spent(others=names)
        for number in range(25):
            one.add(one.spelled(f"{number}"), soon + number)
        await names.aclose()
    async with processes(server, 1) as [later]:
        names = later.spent("tests")
        names.attach(later.link)
        other = Spent(others=names)
        await names.load()
        assert [number for number in range(25) if other.spelled(f"{number}") in other] == list(range(15, 25))


async def test_what_nobody_of_ours_has_said_is_no_news(server: RedisServer) -> None:
    async with processes(server, 1) as [alone]:
        names = alone.spent("tests")
        names.attach(alone.link)
        known = Spent(others=names)
        for said in (b"x", b"x nonsense", b"\xff 1"):
            names._hear(names._begins + said)
        assert len(known) == 0
        soon = round((time.time() + 60) * 1000)
        names._hear(names._begins + f"x {soon}".encode())
        assert "x" in known
