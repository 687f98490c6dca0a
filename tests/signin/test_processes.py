"""Several gateways over one Redis: a session that one ends is ended in all, and a sign-in is finished once."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack

import httpx
import pytest

from gateway.app import create_app
from tests.conftest import Upstream
from tests.redis_server import KEY, RedisServer, redis_server
from tests.servers import running_at, until

from .conftest import FLOW, SESSION, Browser, page_of, people_settings

Start = Callable[[], str]


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """Run a Redis that the test may kill."""
    with redis_server() as server:
        yield server


@pytest.fixture
def start(upstream: Upstream, server: RedisServer) -> Iterator[Start]:
    """Return a function that starts a gateway, all of them behind the address of the first."""
    with ExitStack() as stack:
        origins: list[str] = []

        def gateway() -> str:
            def app(origin: str) -> object:
                origins.append(origin)
                shared = {"redis_url": server.url, "redis_key": KEY, "redis_timeout": 5}
                return create_app(people_settings(upstream, origins[0], **shared))

            served: AbstractContextManager[str] = running_at(app)
            return stack.enter_context(served)

        yield gateway


@pytest.fixture
async def browser(start: Start, upstream: Upstream) -> AsyncIterator[Browser]:
    """A browser at the first of the gateways."""
    async with httpx.AsyncClient(timeout=30) as http:
        yield Browser(start(), upstream, http)


def knows(origin: str, cookie: str) -> bool:
    """Say whether a gateway takes a cookie for a session."""
    body = {"query": "{ district { cleverId } }"}
    headers = {"cookie": f"{SESSION}={cookie}"}
    return "data" in httpx.post(f"{origin}/graphql", json=body, headers=headers, timeout=30).json()


async def test_who_signs_out_with_one_is_signed_out_with_all_and_with_those_that_come_later(
    browser: Browser, start: Start, server: RedisServer, teacher: str, student: str
) -> None:
    other = start()
    await browser.login(student)
    stays = browser.http.cookies[SESSION]
    await browser.login(teacher)
    cookie = browser.http.cookies[SESSION]
    assert knows(other, cookie)
    # Signing in as somebody else has ended the first one.
    await until(lambda: not knows(other, stays))

    browser.http.cookies.clear()
    await browser.login(student)
    stays = browser.http.cookies[SESSION]
    left = {"cookie": f"{SESSION}={cookie}", "sec-fetch-site": "same-origin"}
    assert httpx.post(f"{browser.origin}/logout", headers=left).status_code == 303

    assert not knows(browser.origin, cookie)
    await until(lambda: not knows(other, cookie))
    later = start()
    assert not knows(later, cookie)
    assert [knows(origin, stays) for origin in (browser.origin, other, later)] == [True] * 3
    assert_tells_nothing(server, cookie, teacher)


def assert_tells_nothing(server: RedisServer, *words: str) -> None:
    held = b"\n".join([one for pair in server.dump().items() for one in pair])
    assert b":spent:sessions" in held
    assert [word for word in words if word.encode() in held] == []


async def test_a_sign_in_that_was_finished_with_one_is_finished_for_all(
    browser: Browser, start: Start, teacher: str
) -> None:
    other = start()
    asked = await browser.http.get(f"{browser.origin}/login")
    back = await browser.choose(asked.headers["location"], teacher)
    flow = browser.http.cookies[FLOW]
    assert (await browser.come_back(back)).status_code == 303

    copy = httpx.get(back.replace(browser.origin, other), headers={"cookie": f"{FLOW}={flow}"})
    assert "has been finished already" in page_of(copy, 400)
    # And with another it is finished by whichever gateway the browser comes back to.
    asked = await browser.http.get(f"{browser.origin}/login")
    back = await browser.choose(asked.headers["location"], teacher)
    assert (await browser.http.get(back.replace(browser.origin, other))).status_code == 303


async def test_without_redis_each_goes_by_what_it_knows_and_tells_the_others_later(
    browser: Browser, start: Start, server: RedisServer, teacher: str
) -> None:
    other = start()
    server.kill()
    assert (await browser.login(teacher)).status_code == 303
    cookie = browser.http.cookies[SESSION]
    await browser.logout()
    assert not knows(browser.origin, cookie)
    assert knows(other, cookie)

    server.start()
    await until(lambda: not knows(other, cookie))


async def test_a_redis_that_was_emptied_is_told_again(
    browser: Browser, start: Start, server: RedisServer, teacher: str
) -> None:
    await browser.login(teacher)
    cookie = browser.http.cookies[SESSION]
    await browser.logout()
    await until(lambda: spent(server))
    server.restart()
    await until(lambda: spent(server))
    assert not knows(start(), cookie)


def spent(server: RedisServer) -> int:
    """Return how many sessions Redis knows to have ended."""
    return sum(count(server, key) for key in server.dump() if key.endswith(b":spent:sessions"))


def count(server: RedisServer, table: bytes) -> int:
    with server.client() as client:
        return int(client.zcard(table))
