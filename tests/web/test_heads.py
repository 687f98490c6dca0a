"""What headers say is worked out once, of those alone that matter, and never for another caller."""

import httpx
import pytest

from gateway.app import create_app
from gateway.errors import Unauthenticated
from gateway.settings import Settings
from gateway.web import heads as module
from gateway.web.auth import PassThrough
from gateway.web.headers import RequestHeaders
from gateway.web.heads import Heads
from gateway.web.replies import Pair
from gateway.web.viewer_auth import ViewerAuthentication
from tests.conftest import TOKEN, Upstream
from tests.web.conftest import inside

SENT: list[Pair] = [
    (b"host", b"gateway.example:443"),
    (b"authorization", b"Bearer one"),
    (b"content-type", b"application/json"),
]


def test_what_does_not_matter_makes_no_other_head() -> None:
    heads = Heads(PassThrough())
    first, no_id = heads.of(SENT)
    traced, given_id = heads.of([*SENT, (b"x-request-id", b"a-1"), (b"traceparent", b"00-1-2-01"), (b"dnt", b"1")])

    assert traced is first
    assert (no_id, given_id) == (None, b"a-1")
    assert first.host == "gateway.example"
    assert first.json
    assert len(heads) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"accept", b"text/html"),
        (b"authorization", b"Bearer two"),
        (b"cache-control", b"no-cache"),
        (b"content-encoding", b"gzip"),
        (b"content-type", b"text/plain"),
        (b"cookie", b"a=1"),
        (b"expect", b"100-continue"),
        (b"host", b"other"),
        (b"if-none-match", b'"a"'),
        (b"origin", b"https://page.example"),
        (b"x-clever-explain", b"plan"),
    ],
    ids=lambda one: one.decode(),
)
def test_what_matters_makes_another_head(name: bytes, value: bytes) -> None:
    heads = Heads(PassThrough())
    plain, _ = heads.of(SENT)
    changed = [(one, value if one == name else was) for one, was in SENT]
    other, _ = heads.of(changed if changed != SENT else [*SENT, (name, value)])

    assert other is not plain
    told = {slot: getattr(other, slot) for slot in other.__slots__}
    assert told != {slot: getattr(plain, slot) for slot in plain.__slots__} or name == b"cookie"
    assert heads.of(SENT)[0] is plain


def test_a_caller_is_remembered_only_where_headers_alone_tell_it() -> None:
    assert Heads(PassThrough()).of(SENT)[0].caller is not None
    assert Heads(ViewerAuthentication()).of(SENT)[0].caller is None


async def test_a_malformed_token_is_refused_each_time() -> None:
    authenticator = PassThrough()
    sent = [(b"authorization", b"Basic abc")]
    heads = Heads(authenticator)
    for _ in range(2):
        assert heads.of(sent)[0].caller is None
        with pytest.raises(Unauthenticated, match="must be `Bearer <token>`"):
            await authenticator.caller(RequestHeaders(sent))


def test_few_heads_are_remembered_and_no_long_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST", 3)
    heads = Heads(PassThrough())
    for number in range(10):
        heads.of([(b"authorization", b"Bearer %d" % number)])
    assert len(heads) == 3
    long = [(b"cookie", b"a" * 5_000)]
    assert heads.of(long)[0] is not heads.of(long)[0]
    assert len(heads) == 3


async def test_who_asks_before_sending_too_much_is_told_no_at_once(upstream: Upstream) -> None:
    """A body that is announced as too long is refused before any of it is received."""
    app = create_app(Settings(clever_url=upstream.origin, max_body_bytes=100_000))
    answers: list[dict[str, object]] = []
    async with inside(app):
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/graphql",
            "query_string": b"",
            "headers": [
                (b"authorization", f"Bearer {TOKEN}".encode()),
                (b"content-type", b"application/json"),
                (b"content-length", b"100001"),
                (b"expect", b"100-continue"),
            ],
        }

        async def receive() -> dict[str, object]:
            raise AssertionError("nothing is to be received")

        async def send(message: dict[str, object]) -> None:
            answers.append(message)

        await app(scope, receive, send)  # type: ignore[arg-type]
    assert answers[0]["status"] == 413


async def test_two_tokens_in_turn_are_two_callers(upstream: Upstream) -> None:
    app = create_app(Settings(clever_url=upstream.origin))
    asked = {"query": "{ district { name } }"}
    async with inside(app) as http:
        for _ in range(3):
            good = await http.post("/graphql", json=asked, headers={"authorization": f"Bearer {TOKEN}"})
            bad = await http.post("/graphql", json=asked, headers={"authorization": "Bearer nobody"})
            assert good.json()["data"]["district"]["name"]
            assert _code(bad) == "UNAUTHENTICATED"


def _code(answer: httpx.Response) -> object:
    return answer.json()["errors"][0]["extensions"]["code"]
