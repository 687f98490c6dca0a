"""Faults on demand: what each does to an answer, which calls a rule strikes, and how rules are given."""

import gzip
import time
import zlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from gateway.sandbox import KINDS, FaultError, Rule, read_option
from gateway.sandbox.faults import PASSING, Faults

from .conftest import Served

USERS = "/v3.1/users?limit=3"


@pytest.fixture
def faulty(served: Served) -> Iterator[Served]:
    yield served
    served.client.post("/__sandbox/reset").raise_for_status()


def behave(served: Served, **rule: Any) -> None:
    served.client.post("/__sandbox/faults", json={"faults": [rule]}).raise_for_status()


def raw(served: Served, path: str = USERS) -> tuple[httpx.Response, bytes]:
    """Ask for a path; return the answer and its body as it came, still packed."""
    with served.client.stream("GET", path, headers={"authorization": f"Bearer {served.token}"}) as response:
        return response, b"".join(response.iter_raw())


# What they do


@pytest.mark.parametrize(
    ("fault", "status", "names_reset"), [("429", 429, True), ("429-bare", 429, False), ("500", 500, None)]
)
def test_a_refusal_has_its_status(faulty: Served, fault: str, status: int, names_reset: bool | None) -> None:
    behave(faulty, fault=fault, seconds=7)
    response = faulty.get(USERS)
    assert response.status_code == status
    if names_reset is None:
        assert response.headers["content-type"].startswith("text/html")
    else:
        assert response.content == b""
        assert ("x-ratelimit-reset" in response.headers) is names_reset
    if names_reset:
        assert 6 <= int(response.headers["x-ratelimit-reset"]) - time.time() <= 9


@pytest.mark.parametrize("fault", ["html", "truncated-json", "bad-json"])
def test_what_is_no_json_comes_with_200_and_its_own_length(faulty: Served, fault: str) -> None:
    behave(faulty, fault=fault)
    response = faulty.get(USERS)
    assert response.status_code == 200
    with pytest.raises(ValueError, match=r"(?s).+"):
        response.json()


def test_a_truncated_gzip_ends_before_its_end(faulty: Served) -> None:
    behave(faulty, fault="truncated-gzip")
    response, body = raw(faulty)
    assert response.headers["content-encoding"] == "gzip"
    with pytest.raises(EOFError):
        gzip.decompress(body)


def test_a_bomb_is_small_until_it_is_unpacked(faulty: Served) -> None:
    behave(faulty, fault="gzip-bomb", bytes=3_000_000)
    _, body = raw(faulty)
    assert len(body) < 30_000
    assert 2_900_000 < len(zlib.decompress(body, wbits=31)) <= 3_000_009


def test_a_huge_body_names_no_length(faulty: Served) -> None:
    behave(faulty, fault="huge", bytes=3_000_000)
    response, body = raw(faulty)
    assert "content-length" not in response.headers
    assert len(body) > 2_900_000


@pytest.mark.parametrize("fault", ["reset", "hang-up"])
def test_a_connection_ends_within_the_answer(faulty: Served, fault: str) -> None:
    behave(faulty, fault=fault, count=1)
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)) as caught:
        faulty.get(USERS)
    assert ("reset" in str(caught.value).lower()) is (fault == "reset")
    assert faulty.get(USERS).status_code == 200


def test_a_call_hangs_and_another_drips(faulty: Served) -> None:
    behave(faulty, fault="hang")
    with pytest.raises(httpx.ReadTimeout):
        faulty.client.get(USERS, timeout=0.1)
    behave(faulty, fault="drip", seconds=0.001)
    began = time.perf_counter()
    assert faulty.get("/v3.1/districts").status_code == 200
    assert time.perf_counter() - began > 0.1


def test_latency_adds_up_and_goes_with_another_fault(faulty: Served) -> None:
    slow = {"fault": "latency", "seconds": 0.05, "jitter": 0.01}
    faulty.client.post("/__sandbox/faults", json={"faults": [slow, {"fault": "503"}, {"fault": "html"}, slow]})
    began = time.perf_counter()
    assert faulty.get(USERS).status_code == 503
    assert time.perf_counter() - began >= 0.1


def test_redirects_lead_elsewhere_or_to_themselves(faulty: Served) -> None:
    behave(faulty, fault="redirect", target="http://127.0.0.1:9")
    assert faulty.get(USERS).headers["location"] == f"http://127.0.0.1:9{USERS}"
    behave(faulty, fault="redirect-loop")
    assert faulty.get(USERS).headers["location"] == USERS


def link(served: Served, path: str) -> str:
    links = {one["rel"]: one["uri"] for one in served.json(path)["links"]}
    found: str = links["next"]
    return found


def test_links_lead_elsewhere_or_round_and_round_or_on_for_ever(faulty: Served) -> None:
    behave(faulty, fault="foreign-next", target="http://127.0.0.1:9")
    assert link(faulty, USERS).startswith("http://127.0.0.1:9/v3.1/users?limit=3&starting_after=")
    behave(faulty, fault="looping-next")
    again = link(faulty, USERS)
    assert link(faulty, again) == again
    behave(faulty, fault="endless")
    seen: list[str] = []
    path = "/v3.1/schools"
    for _ in range(5):
        seen += faulty.ids(path)
        path = link(faulty, path)
    assert seen == sorted(set(seen))
    assert len(seen) == len(faulty.oracle.schools) + 4


def test_records_are_spoiled_and_the_envelope_is_json(faulty: Served) -> None:
    sound = faulty.json(USERS)["data"]
    behave(faulty, fault="wrong-types")
    spoiled = faulty.json(USERS)["data"]
    assert (spoiled[0]["data"]["roles"], spoiled[1:]) == ("student", sound[1:])
    behave(faulty, fault="duplicates")
    assert faulty.json(USERS)["data"] == [*sound, *sound]
    behave(faulty, fault="nulls")
    assert faulty.json(USERS)["data"] == [None, *sound, {"data": None}, 7]
    behave(faulty, fault="wrong-envelope")
    assert faulty.json(USERS)["data"] == "nothing"
    assert faulty.json("/v3.1/users?count=true") == {"count": "many"}
    behave(faulty, fault="other-district")
    assert {row["data"]["district"] for row in faulty.json(USERS)["data"]} == {"0" * 23 + "d"}
    behave(faulty, fault="other-record")
    assert faulty.json(f"/v3.1/users/{sound[0]['data']['id']}")["data"]["id"] > sound[0]["data"]["id"]


# Whom they strike


def test_a_rule_strikes_its_path_alone_and_so_many_calls(faulty: Served) -> None:
    behave(faulty, fault="500", path="/users", count=2)
    assert faulty.get("/v3.1/schools").status_code == 200
    assert [faulty.get(USERS).status_code for _ in range(3)] == [500, 500, 200]
    (rule,) = faulty.client.get("/__sandbox/faults").json()["faults"]
    assert rule == {"fault": "500", "path": "/users", "count": 2, "struck": 2}


def test_calls_that_are_struck_are_counted_and_the_console_is_not_struck(faulty: Served) -> None:
    faulty.client.post("/__sandbox/reset")
    behave(faulty, fault="500")
    faulty.get(USERS)
    assert faulty.client.get("/__sandbox/stats").json()["calls"] == {"/users": 1}


def test_a_reset_ends_them_all(faulty: Served) -> None:
    behave(faulty, fault="500")
    faulty.client.post("/__sandbox/reset")
    assert faulty.client.get("/__sandbox/faults").json() == {"faults": []}
    assert faulty.get(USERS).status_code == 200


def strikes(rule: Rule, times: list[float]) -> list[bool]:
    now = [0.0]
    faults = Faults(clock=lambda: now[0])
    faults.set([rule])
    found = []
    for now[0] in times:
        found.append(bool(faults.strike("/users")))
    return found


def test_a_rate_is_a_share_of_the_calls_and_the_same_each_time() -> None:
    found = strikes(Rule("html", rate=0.2), [0.0] * 1000)
    assert 150 < sum(found) < 250
    assert found == strikes(Rule("html", rate=0.2), [0.0] * 1000)
    assert found != strikes(Rule("html", rate=0.2, seed=2), [0.0] * 1000)


def test_a_rule_flaps_and_ends() -> None:
    flapping = strikes(Rule("html", on=2, off=3), [0, 1.9, 2, 4.9, 5, 6.9, 7])
    assert flapping == [True, True, False, False, True, True, False]
    assert strikes(Rule("html", duration=5), [0, 4.9, 5, 100]) == [True, True, False, False]


def test_mixed_faults_are_all_that_may_pass() -> None:
    faults = Faults()
    faults.set([Rule("mixed")])
    found = {fault.change for _ in range(500) for fault in faults.strike("/users")}
    assert found == {KINDS[name].fault for name in PASSING}
    assert {"latency", "wrong-types", "endless"} == KINDS.keys() - set(PASSING)


# How they are given


def test_options_are_read() -> None:
    assert read_option("html") == Rule("html")
    assert read_option("html+reset:rate=0.2,path=/users/{id},on=5,off=1.5,count=3") == Rule(
        "html+reset", rate=0.2, path="/users/{id}", on=5, off=1.5, count=3
    )


WRONG = [
    ("nonsense", "unknown fault 'nonsense'; there are: latency, 429, "),
    ("html+nonsense", "unknown fault 'nonsense'"),
    ("html:often", "'often' is not of the form name=value"),
    ("html:often=1", "unknown field `often`"),
    ("html:rate=many", "float"),
    ("html:rate=2", "rate must be from 0 to 1"),
    ("html:path=/nowhere", "unknown path '/nowhere'; there are: /courses"),
    ("html:on=5", "on and off go together"),
    ("html:on=0,off=1", "on must be above 0"),
    ("html:count=-1", "count must be above 0"),
    ("latency:jitter=-1", "jitter must be"),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_options_that_make_no_sense_are_refused_with_a_reason(text: str, message: str) -> None:
    with pytest.raises(FaultError) as caught:
        read_option(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"faults": [{"fault": "nonsense"}]}', "unknown fault"),
        (b'{"fault": "html", "rate": "often"}', "send rules as in"),
        (b'{"faults": 7}', "send rules as in"),
        (b"html", "send rules as in"),
        (b"[" * 100_000, "send rules as in"),
        (b'{"faults": [' + b'{"fault": "html"},' * 50 + b'{"fault": "html"}]}', "50 rules at most"),
    ],
)
def test_the_console_refuses_what_makes_no_sense_and_changes_nothing(faulty: Served, body: bytes, message: str) -> None:
    behave(faulty, fault="500")
    answer = faulty.client.post("/__sandbox/faults", content=body)
    assert answer.status_code == 400
    assert message in answer.json()["error"]
    assert faulty.get(USERS).status_code == 500
