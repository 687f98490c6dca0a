"""What happened lately: counted by the second, and bounded whatever happens."""

from gateway.cache.redis.events import RedisDone
from gateway.clever.events import CallSent
from gateway.engine.operations import Named
from gateway.observability.recent import Minute, Recent
from gateway.web.facts import RequestFacts
from gateway.web.middleware import RequestDone


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def request(named: Named | None, seconds: float = 0.1, *, kept: bool = False, route: str = "/graphql") -> RequestDone:
    return RequestDone("id", "POST", route, 200, seconds, 0, (), RequestFacts(operation=named, kept=kept))


def call(status: int | None, failure: str = "") -> CallSent:
    return CallSent("/users", status, 0.1, 0, 1, "scan", failure)


def test_a_minute_is_counted_by_its_seconds_and_forgotten_after() -> None:
    clock = Clock()
    minute = Minute(clock)
    for second, count in ((0, 3), (1, 1), (5, 2)):
        clock.now = 1_000.5 + second
        for _ in range(count):
            minute.add()
    assert minute.total() == 6

    clock.now += 1
    assert minute.each(6) == [3, 1, 0, 0, 0, 2]
    clock.now = 1_061.0
    assert minute.total() == 2
    clock.now = 1_200.0
    assert minute.total() == 0
    assert minute.each() == [0] * 59


def test_operations_are_those_run_lately_the_slowest_first() -> None:
    recent = Recent()
    quick, slow = Named("Quick"), Named("", "abcdef01")
    for number in range(100):
        recent.on_request(request(quick, 0.001 * number))
        recent.on_request(request(slow, 1.0))
    recent.on_request(request(quick, kept=True))
    recent.on_request(request(Named("Kept"), kept=True))
    recent.on_request(request(None))
    found = list(recent.slowest())

    assert [one.named for one in found] == [slow, quick]
    assert (found[1].made, found[1].kept) == (100, 1)
    assert found[1].quantile(0.5) == 0.05
    assert found[1].quantile(0.95) == 0.095


def test_it_stays_small() -> None:
    recent = Recent()
    for number in range(3_000):
        recent.on_request(request(Named("", f"{number:08}")))
        recent.on_request(request(Named("Same")))
        recent.on_call(call(503))

    assert len(recent._operations) == 200
    assert len(recent._operations[Named("Same")].times) == 500
    assert len(recent.faults) == 20
    assert len(list(recent.slowest())) == 10


def test_only_graphql_counts() -> None:
    recent = Recent()
    for route in ("/graphql", "/status", "/metrics", "/healthz", "other"):
        recent.on_request(request(None, route=route))

    assert recent.requests.total() == 1


def test_faults_are_clevers_not_the_callers() -> None:
    recent = Recent(wall=lambda: 7.0)
    for sent in (call(200), call(401), call(403), call(404), call(429), call(500), call(None, "timeout"), call(None)):
        recent.on_call(sent)

    assert [fault.what for fault in recent.faults] == ["status 429", "status 500", "timeout", "nobody waited for it"]
    assert {fault.at for fault in recent.faults} == {7.0}
    assert recent.calls.total() == 8


def test_redis_is_there_or_not_and_what_was_found() -> None:
    recent = Recent()
    assert recent.redis_up is None
    for done in (
        RedisDone("link", "up"),
        RedisDone("find", "ok"),
        RedisDone("find", "hit"),
        RedisDone("find", "hit"),
        RedisDone("find", "miss"),
        RedisDone("calls", "timeout"),
        RedisDone("link", "down"),
    ):
        recent.on_redis(done)

    assert recent.redis_up is False
    counts = recent.redis_hits.total(), recent.redis_misses.total(), recent.redis_failures.total()
    assert counts == (2, 1, 1)
