"""Tokens that the gateway holds: read from Clever's listing, a file or settings, and kept current."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.clever.district_tokens import DistrictTokens, TokensRead
from gateway.clever.outside import Fetch, Unread, WatchedFile
from gateway.clever.token_sources import FileTokens, ListedTokens, read_pairs
from gateway.identity import Tenant
from tests.clever.listing import Listing, listing, page, row

ONE, TWO = "58da8a43cc70ab00017a1a87", "58da8a43cc70ab00017a1a88"
LONG = 3_600.0


@pytest.fixture
def upstream() -> Iterator[Listing]:
    with listing() as served:
        yield served


@dataclass
class Held:
    """The tokens, and what was heard of them."""

    tokens: DistrictTokens
    read: list[TokensRead]
    gone: list[Tenant]

    async def of(self, district: str) -> str | None:
        """Return the token of a district."""
        tenant = await self.tokens.tenant(district)
        return None if tenant is None else tenant.authorization.decode().removeprefix("Bearer ")


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - it may wait for anything
            await asyncio.sleep(0.005)


@asynccontextmanager
async def held(
    origin: str, *, refresh_s: float = LONG, pause_s: float = 0.0, secret: str = "sandbox-secret"
) -> AsyncIterator[Held]:
    read: list[TokensRead] = []
    gone: list[Tenant] = []
    async with Fetch(origin, most_bytes=100_000) as fetch:
        source = ListedTokens(fetch, origin, "sandbox-client", secret)
        source.pause_s = pause_s
        async with DistrictTokens(source, refresh_s=refresh_s, on_read=read.append, on_gone=gone.append) as tokens:
            yield Held(tokens, read, gone)


class TestTheListing:
    async def test_has_a_token_for_each_district_and_is_read_once(self, upstream: Listing) -> None:
        async with held(upstream.origin) as holding:
            assert holding.tokens.districts() == sorted(upstream.districts)
            assert [await holding.of(one) for one in upstream.districts * 3] == ["TEST_TOKEN", "TEST_TOKEN_2"] * 3
            assert holding.read == [TokensRead(2, added=2)]
            assert holding.tokens.ready
        assert upstream.read == 1

    async def test_of_several_tokens_of_a_district_the_newest_counts(self, upstream: Listing) -> None:
        newest = [upstream.change("rotate", upstream.districts[1], keep="true")["token"] for _ in range(3)][-1]
        async with held(upstream.origin) as holding:
            assert await holding.of(upstream.districts[1]) == newest

    @pytest.mark.parametrize("order", [1, -1])
    async def test_whatever_their_order(self, upstream: Listing, order: int) -> None:
        rows = [row(ONE, "old", "2023-12-31T23:59:59.999Z"), row(ONE, "new"), row(ONE, "oldest", "")]
        upstream.always = page(*rows[::order], row(TWO, "a-persons", kind="user"), row(TWO, ""))
        async with held(upstream.origin) as holding:
            assert (await holding.of(ONE), await holding.of(TWO)) == ("new", None)

    async def test_is_followed_to_its_end(self, upstream: Listing) -> None:
        onward = "/oauth/tokens?owner_type=district&starting_after=x"
        upstream.replies = [page(row(ONE, "first"), onward=onward), page(row(TWO, "second"))]
        async with held(upstream.origin, pause_s=LONG) as holding:
            assert [await holding.of(one) for one in (ONE, TWO)] == ["first", "second"]

    @pytest.mark.parametrize("onward", ["https://elsewhere.example/oauth/tokens?", "/oauth/other?", "@elsewhere/"])
    async def test_is_not_followed_elsewhere(self, upstream: Listing, onward: str) -> None:
        upstream.always = page(row(ONE, "first"), onward=onward)
        async with held(upstream.origin) as holding:
            assert holding.read[0].problem == "the token listing leads elsewhere; it was not followed"

    async def test_does_not_go_on_for_ever(self, upstream: Listing) -> None:
        upstream.always = page(row(ONE, "first"), onward="/oauth/tokens?again")
        async with held(upstream.origin) as holding:
            assert "more than 100 pages" in str(holding.read[0].problem)

    async def test_refuses_a_wrong_secret_and_it_is_said_what_to_check(self, upstream: Listing) -> None:
        async with held(upstream.origin, secret="MARKED-SECRET") as holding:
            problem = str(holding.read[0].problem)
            assert "GATEWAY_CLEVER_CLIENT_SECRET" in problem
            assert "MARKED-SECRET" not in problem
            assert not holding.tokens.ready

    async def test_tokens_are_in_no_repr(self, upstream: Listing) -> None:
        async with held(upstream.origin) as holding:
            shown = repr((holding.tokens, await holding.tokens.tenant(upstream.districts[0]), holding.read))
        assert "TEST_TOKEN" not in shown


WRONG = {
    "empty": (200, b""),
    "a list": (200, b"[]"),
    "no rows": (200, b'{"data":{}}'),
    "no owner": (200, b'{"data":[{"access_token":"MARKED"}]}'),
    "truncated": (200, b'{"data":[{"access_token":"MARKED"'),
    "html": (200, b"<html>MARKED</html>"),
    "nested": (200, b"[" * 50_000),
    "large": (200, b'{"data":[' + b" " * 200_000 + b"]}"),
    "no id": page(row("MARKED", "token")),
    "a token that no header can carry": page(row(ONE, "MAR\r\nKED")),
    "failure": (500, b"MARKED"),
    "elsewhere": (302, b"MARKED"),
}


class TestAFailedReading:
    @pytest.mark.parametrize("reply", WRONG.values(), ids=WRONG)
    async def test_keeps_what_there_was_and_says_why_without_a_value(
        self, upstream: Listing, reply: tuple[int, bytes]
    ) -> None:
        async with held(upstream.origin) as holding:
            upstream.always = reply
            assert await holding.of(TWO) is None
            assert [await holding.of(one) for one in upstream.districts] == ["TEST_TOKEN", "TEST_TOKEN_2"]
            assert holding.read[1].problem
            assert "MARKED" not in repr(holding.read)
            assert (holding.gone, holding.tokens.ready) == ([], True)

    async def test_is_tried_again_until_it_is_well(self, upstream: Listing) -> None:
        upstream.replies = [(503, b"")] * 3
        async with held(upstream.origin, refresh_s=0.02) as holding:
            assert not holding.tokens.ready
            await until(lambda: holding.tokens.ready)
            assert [bool(one.problem) for one in holding.read[:4]] == [True, True, True, False]

    async def test_of_a_clever_that_is_not_there_is_told_and_nothing_more(self) -> None:
        async with held("http://127.0.0.1:9") as holding:
            assert "cannot be reached" in str(holding.read[0].problem)
            assert await holding.of(ONE) is None


class TestChanges:
    async def test_a_new_district_is_found_when_it_is_asked_for(self, upstream: Listing) -> None:
        upstream.change("disconnect", upstream.districts[1])
        async with held(upstream.origin) as holding:
            assert await holding.of(upstream.districts[1]) is None
            upstream.change("connect", upstream.districts[1])
            assert await holding.of(upstream.districts[1]) == "TEST_TOKEN_2"
            assert holding.read[-1] == TokensRead(2, added=1)

    async def test_many_who_ask_for_it_at_once_cost_one_reading(self, upstream: Listing) -> None:
        async with held(upstream.origin) as holding:
            await asyncio.gather(*[holding.of(TWO) for _ in range(20)])
        assert upstream.read == 2

    async def test_and_those_who_go_on_asking_none_for_a_while(self, upstream: Listing) -> None:
        async with held(upstream.origin, pause_s=LONG) as holding:
            assert {await holding.of(TWO) for _ in range(20)} == {None}
        assert upstream.read == 1

    async def test_a_district_that_is_gone_is_given_up_and_that_is_told(self, upstream: Listing) -> None:
        async with held(upstream.origin) as holding:
            tenant = await holding.tokens.tenant(upstream.districts[1])
            upstream.change("disconnect", upstream.districts[1])
            await holding.of(TWO)
            assert await holding.of(upstream.districts[1]) is None
            assert holding.gone == [tenant]
            assert TokensRead(1, gone=1) in holding.read

    async def test_in_the_background_they_are_read_every_so_often(self, upstream: Listing) -> None:
        async with held(upstream.origin, refresh_s=0.02) as holding:
            before = await holding.tokens.tenant(upstream.districts[0])
            assert before
            new = upstream.change("rotate", upstream.districts[0])["token"]
            await until(lambda: holding.tokens.current(before).credential != before.credential)
            assert await holding.of(upstream.districts[0]) == new
            assert TokensRead(2, rotated=1) in holding.read
            assert holding.tokens.current(before) == before


class TestARefusedToken:
    async def test_is_replaced_at_once_by_one_reading_for_all(self, upstream: Listing) -> None:
        async with held(upstream.origin) as holding:
            old = await holding.tokens.tenant(upstream.districts[0])
            assert old
            upstream.change("rotate", upstream.districts[0])
            assert set(await asyncio.gather(*[holding.tokens.renew(old) for _ in range(20)])) == {True}
            assert upstream.read == 2
            assert await holding.tokens.renew(old)
        assert upstream.read == 2

    async def test_that_has_no_successor_is_not_replaced(self, upstream: Listing) -> None:
        async with held(upstream.origin) as holding:
            old = await holding.tokens.tenant(upstream.districts[0])
            assert old
            assert not await holding.tokens.renew(old)
            upstream.change("disconnect", upstream.districts[0])
            assert not await holding.tokens.renew(old)
            upstream.always = (500, b"")
            assert not await holding.tokens.renew(old)
        assert upstream.read == 4

    async def test_waits_for_its_turn_where_they_were_read_just_now(self, upstream: Listing) -> None:
        async with held(upstream.origin, pause_s=0.2) as holding:
            old = await holding.tokens.tenant(upstream.districts[0])
            assert old
            upstream.change("rotate", upstream.districts[0])
            assert await holding.tokens.renew(old)


class TestAFile:
    @asynccontextmanager
    async def held(self, path: Path, now: list[float]) -> AsyncIterator[Held]:
        read: list[TokensRead] = []
        gone: list[Tenant] = []
        source = FileTokens(WatchedFile(path, clock=lambda: now[0]))
        async with DistrictTokens(source, refresh_s=LONG, on_read=read.append, on_gone=gone.append) as tokens:
            yield Held(tokens, read, gone)

    async def test_is_read_again_when_another_takes_its_place(self, tmp_path: Path) -> None:
        now = [0.0]
        path = tmp_path / "tokens.json"
        path.write_text(json.dumps({ONE: "first", TWO: "second"}))
        async with self.held(path, now) as holding:
            assert await holding.of(ONE) == "first"
            newer = tmp_path / "newer.json"
            newer.write_text(json.dumps({ONE: "third"}))
            newer.replace(path)
            now[0] += 1
            assert await holding.of(ONE) == "third"
            assert [one.district for one in holding.gone] == [TWO]
            assert holding.read == [TokensRead(2, added=2), TokensRead(1, rotated=1, gone=1)]

    @pytest.mark.parametrize(
        "text", ["", "[]", "{", '{"x":"MARKED"}', f'{{"{ONE}":1}}', f'{{"{ONE}":""}}', f'{{"{ONE}":"MAR KED"}}']
    )
    async def test_that_is_no_good_leaves_what_there_was(self, tmp_path: Path, text: str) -> None:
        now = [0.0]
        path = tmp_path / "tokens.json"
        path.write_text(json.dumps({ONE: "first"}))
        async with self.held(path, now) as holding:
            path.write_text(text)
            now[0] += 1
            assert await holding.of(ONE) == "first"
            assert holding.read[1].problem
            assert "MARKED" not in repr(holding.read)

    def test_that_is_not_there_says_so(self, tmp_path: Path) -> None:
        with pytest.raises(Unread, match="cannot be read"):
            FileTokens(WatchedFile(tmp_path / "none")).tokens()


def test_pairs_are_read_and_what_is_none_is_refused_without_its_value() -> None:
    assert read_pairs(f" {ONE}=a=b, {TWO} = c ,") == {ONE: "a=b", TWO: "c"}
    for wrong in (f"MARKED={ONE}", "MARKED", f"{ONE}=MAR KED", f"{ONE}=", f"{ONE}=MARKED,{ONE}=b"):
        with pytest.raises(Unread) as refused:
            read_pairs(wrong)
        assert "MARKED" not in str(refused.value)
