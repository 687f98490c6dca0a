"""The keys of JWTs: read once, kept while they cannot be read, and given up when their issuer gives them up."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import pytest

from gateway.clever.outside import Fetch
from gateway.errors import RequestRefused, Unauthenticated
from gateway.identity import Caller, Tenant
from gateway.web.jwks import PublicKeys
from gateway.web.jwt import JwtAuthenticator, JwtRules
from tests.servers import running
from tests.web.issuer import AUDIENCE, ISSUER, KeySet, claims_of, key_of, public, signed

USER, DISTRICT = "5faac8b7d1e2f30001a1e857", "58da8a43cc70ab00017a1a87"
FRESH_S, USABLE_S, PAUSE_S, LONGEST_S = 600, 1200, 30, 4 * 3600


@dataclass
class Play:
    """An authenticator whose clock the test turns, and the page with its keys."""

    page: KeySet
    now: float = 1_000.0
    problems: list[str] = field(default_factory=list)
    keys: PublicKeys = field(init=False)
    jwts: JwtAuthenticator = field(init=False)

    async def ask(self, key: str = "", **header: str) -> Caller:
        """Ask who a new token of a key is about."""
        return await self.jwts.caller(token_of(key, **header))

    async def settle(self, reads: int) -> None:
        """Wait until the page has been read so often, and what was read has been taken in."""
        async with asyncio.timeout(10):
            while self.page.read < reads or self.keys._under_way:  # noqa: ASYNC110 - it is another thread that reads
                await asyncio.sleep(0.002)


def token_of(key: str = "", **header: str) -> str:
    return signed(claims_of(USER, DISTRICT), "ES256", key_of("P-256", key), **header)


@pytest.fixture
def page() -> Iterator[tuple[KeySet, str]]:
    served = KeySet()
    with running(served) as origin:
        yield served, f"{origin}/keys?{USER}"


@pytest.fixture
async def play(page: tuple[KeySet, str]) -> AsyncIterator[Play]:
    served, url = page
    playing = Play(served)
    async with Fetch(url, most_bytes=20_000) as fetch:
        playing.keys = PublicKeys(lambda: fetch.read(url), playing.problems.append, clock=lambda: playing.now)

        async def tenant(district: str) -> Tenant | None:
            return Tenant("a-token", district)

        playing.jwts = JwtAuthenticator(playing.keys, tenant, JwtRules(ISSUER, (AUDIENCE,)))
        yield playing
        await playing.keys.aclose()


async def test_they_are_read_once_for_all(play: Play) -> None:
    callers = await asyncio.gather(*[play.ask() for _ in range(20)])
    assert {(one.tenant.district, one.viewer.user_id if one.viewer else None, one.api_key) for one in callers} == {
        (DISTRICT, USER, None)
    }
    play.now += FRESH_S - 1
    await play.ask()
    assert play.page.read == 1


async def test_people_may_do_nothing_beyond_reading_by_their_word_alone(play: Play) -> None:
    assert (await play.ask()).permissions == frozenset()


async def test_past_their_time_they_are_read_beside_those_who_use_them(play: Play) -> None:
    await play.ask()
    play.now += FRESH_S
    await asyncio.gather(*[play.ask() for _ in range(20)])
    await play.settle(2)
    await play.ask()
    assert play.page.read == 2


async def test_an_unknown_key_is_looked_for_once_in_a_while(play: Play) -> None:
    await play.ask()
    with pytest.raises(Unauthenticated, match="does not publish"):
        await play.ask("-new")
    assert play.page.read == 1
    play.now += PAUSE_S
    play.page.keys.append(public(key_of("P-256", "-new")))
    await asyncio.gather(*[play.ask("-new") for _ in range(20)])
    assert play.page.read == 2
    for _ in range(20):
        with pytest.raises(Unauthenticated, match="does not publish"):
            await play.ask("-never")
    assert play.page.read == 2


async def test_a_key_that_is_withdrawn_takes_its_tokens_along(play: Play) -> None:
    token = token_of()
    await play.jwts.caller(token)
    play.page.keys = [public(key_of("P-256", "-new"))]
    play.now += FRESH_S
    await play.jwts.caller(token)
    await play.settle(2)
    with pytest.raises(Unauthenticated, match="does not publish"):
        await play.jwts.caller(token)
    await play.ask("-new")
    with pytest.raises(Unauthenticated, match="does not publish"):
        await play.ask("-new", kid="P-256")


async def test_and_does_so_at_once_where_nobody_has_come_for_long(play: Play) -> None:
    token = token_of()
    await play.jwts.caller(token)
    play.page.keys = [public(key_of("P-256", "-new"))]
    play.now += USABLE_S
    asked = await asyncio.gather(*[play.jwts.caller(token) for _ in range(20)], return_exceptions=True)
    assert {type(outcome) for outcome in asked} == {Unauthenticated}
    assert play.page.read == 2


async def test_a_key_of_the_same_name_and_another_content_is_another_key(play: Play) -> None:
    token = token_of()
    await play.jwts.caller(token)
    play.page.keys = [public(key_of("P-256", "-new"), kid="P-256")]
    play.now += FRESH_S
    await play.jwts.caller(token)
    await play.settle(2)
    with pytest.raises(Unauthenticated, match="signature"):
        await play.jwts.caller(token)
    await play.ask("-new", kid="P-256")


async def test_a_set_that_is_empty_is_believed(play: Play) -> None:
    await play.ask()
    play.page.keys = []
    play.now += FRESH_S
    await play.ask()
    await play.settle(2)
    with pytest.raises(Unauthenticated):
        await play.ask()


WRONG = {
    "down": (503, b"MARKED"),
    "redirect": (302, b"MARKED"),
    "html": (200, b"<html>MARKED</html>"),
    "empty": (200, b""),
    "no set": (200, b'{"MARKED":[]}'),
    "a list": (200, b'["MARKED"]'),
    "keys of another form": (200, b'{"keys":{"MARKED":1}}'),
    "many": (200, json.dumps({"keys": [{}] * 101}).encode()),
    "huge": (200, b'{"keys":[' + b" " * 30_000 + b"]}"),
    "nested": (200, b"[" * 15_000),
    "not utf-8": (200, b'{"keys":["\xff\xfe"]}'),
}


@pytest.mark.parametrize("reply", WRONG.values(), ids=WRONG)
async def test_what_is_no_set_leaves_the_keys_at_hand_and_is_told(play: Play, reply: tuple[int, bytes]) -> None:
    await play.ask()
    play.page.reply = reply
    for reads in range(2, 5):
        play.now += FRESH_S
        await play.ask()
        await play.settle(reads)
    assert len(play.problems) == 3
    assert "MARKED" not in str(play.problems)
    assert USER not in str(play.problems)


async def test_keys_that_cannot_be_read_for_long_are_no_longer_used_until_they_can(play: Play) -> None:
    token = token_of()
    await play.jwts.caller(token)
    play.page.reply = (503, b"")
    play.now += LONGEST_S - 1
    await play.jwts.caller(token)
    await play.settle(2)
    play.now += 2
    for _ in range(3):
        with pytest.raises(RequestRefused) as refused:
            await play.jwts.caller(token)
        assert (refused.value.status, refused.value.public_code) == (503, "UPSTREAM_UNAVAILABLE")
    assert play.page.read == 3
    play.page.reply = None
    play.now += 2
    await play.jwts.caller(token)


async def test_an_issuer_that_is_not_there_is_the_gateways_trouble_and_not_the_callers() -> None:
    problems: list[str] = []
    async with Fetch("http://127.0.0.1:9/keys") as fetch:
        keys = PublicKeys(lambda: fetch.read("http://127.0.0.1:9/keys"), problems.append)
        with pytest.raises(RequestRefused, match="cannot be read"):
            await keys.refresh()
    assert len(problems) == 1


async def test_of_many_tokens_those_used_last_are_remembered(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.web.jwt._MOST_KNOWN", 3)
    for _ in range(10):
        await play.ask()
    assert len(play.jwts._known) <= 3
