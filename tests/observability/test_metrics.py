"""Metrics: what is counted under which labels, that labels are few whatever comes, and what a state reads as."""

import json
import re
import timeit
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.access.source import Source
from gateway.app import create_app
from gateway.cache.redis.events import RedisDone
from gateway.clever.allowance import Allowance
from gateway.clever.calls import CountCall, first_page
from gateway.clever.catalogue import DISTRICT_SCHOOLS, EVERYTHING, SCHOOLS
from gateway.clever.client import CleverClient
from gateway.clever.events import CallSent, Misread
from gateway.engine.operations import Named
from gateway.engine.responses import Responses
from gateway.errors import UpstreamInvalidResponse
from gateway.identity import Tenant
from gateway.observability.gauges import MOST_DISTRICTS, Watched
from gateway.observability.metrics import MOST_OPERATIONS, Metrics
from gateway.settings import Settings
from gateway.web.facts import RequestFacts
from gateway.web.middleware import RequestDone
from tests.conftest import TOKEN, Upstream
from tests.resilience.faulty import ANY, Fault, Faulty, edited, html, status, truncated
from tests.resilience.fixtures import faulty, faulty_server
from tests.web.conftest import inside

__all__ = ["faulty", "faulty_server"]

DISTRICT_LEFT = "gateway_budget_district_left_calls"
ROSTERS = "query Rosters { sections(first: 5) { nodes { name students { nodes { id } } } } }"
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(text: str) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(found: Samples, name: str, **labels: str) -> float:
    """Return the sum of the samples of a name that have these labels."""
    wanted = set(labels.items())
    return sum(number for (one, has), number in found.items() if one == name and wanted <= has)


async def ask(http: httpx.AsyncClient, query: str = ROSTERS, **headers: str) -> Any:
    sent = {"authorization": f"Bearer {TOKEN}", **headers}
    return (await http.post("/graphql", json={"query": query}, headers=sent)).json()


async def read(http: httpx.AsyncClient) -> Samples:
    return samples((await http.get("/metrics")).text)


class TestRequests:
    async def test_a_trusted_operation_has_its_name_and_any_other_has_none(
        self, upstream: Upstream, tmp_path: Path
    ) -> None:
        manifest = tmp_path / "documents.json"
        manifest.write_text(json.dumps({"1": ROSTERS}), encoding="utf-8")
        settings = Settings(
            clever_url=upstream.origin, trusted_documents=str(manifest), trusted_documents_mode="off", log_level="error"
        )
        async with inside(create_app(settings)) as http:
            for query in (ROSTERS, ROSTERS, "query Stranger { district { name } }", "{ nonsense }"):
                await ask(http, query)
            found = await read(http)
        count = "gateway_operation_seconds_count"

        assert value(found, count, operation="Rosters", answer="made") == 1
        assert value(found, count, operation="Rosters", answer="kept") == 1
        assert value(found, count, operation="other") == 1
        assert value(found, count) == 3
        assert value(found, "gateway_operations_total", way="kept") == 1
        assert value(found, "gateway_errors_total", code="GRAPHQL_VALIDATION_FAILED") == 1
        assert value(found, "gateway_request_seconds_count", route="/graphql") == 4

    def test_however_many_names_a_manifest_has_labels_are_bounded(self) -> None:
        metrics = Metrics()
        for number in range(2 * MOST_OPERATIONS):
            done = RequestDone(
                "id", "POST", "/graphql", 200, 0.1, 0, (), RequestFacts(operation=Named(f"Operation{number}", "0" * 8))
            )
            metrics.on_request(done)
        found = samples(metrics.render().decode())
        names = {
            labels["operation"]
            for (name, has), _ in found.items()
            if name == "gateway_operation_seconds_count" and (labels := dict(has))
        }

        assert len(names) == MOST_OPERATIONS + 1
        assert value(found, "gateway_operation_seconds_count", operation="other") == MOST_OPERATIONS


class TestUpstream:
    async def test_calls_are_counted_by_kind_path_and_status_and_what_was_read_of_them(
        self, upstream: Upstream
    ) -> None:
        async with inside(create_app(Settings(clever_url=upstream.origin, log_level="error"))) as http:
            upstream.reset()
            await ask(http)
            found = await read(http)
        calls = upstream.calls()

        assert {
            path: value(found, "gateway_upstream_call_seconds_count", call=path, status="200") for path in calls
        } == calls
        assert value(found, "gateway_upstream_call_seconds_count", kind="scan") >= 1
        assert value(found, "gateway_upstream_bytes_total") > 100
        assert value(found, "gateway_upstream_retries_total") == 0

    async def test_what_gets_no_answer_is_counted_by_what_went_wrong_and_second_tries_apart(
        self, faulty: Faulty
    ) -> None:
        settings = Settings(clever_url="http://127.0.0.1:9", log_level="error", upstream_failures=3)
        async with inside(create_app(settings)) as http:
            await ask(http, "{ district { name } }")
            found = await read(http)
        faulty.always(ANY, status(503))
        async with inside(create_app(Settings(clever_url=faulty.origin, log_level="error"))) as http:
            await ask(http, "{ district { name } }")
            failed = await read(http)

        assert value(found, "gateway_upstream_failures_total", failure="ConnectError") == 3
        assert value(found, "gateway_upstream_retries_total") == 2
        assert value(found, "gateway_upstream_left_alone") == 1
        assert value(failed, "gateway_upstream_call_seconds_count", status="503") >= 2
        assert value(failed, "gateway_upstream_failures_total") == 0

    @pytest.mark.parametrize(
        ("fault", "label"),
        [
            (html(200), "not_clever"),
            (truncated, "not_clever"),
            (status(302, location="https://login.example.org/MARKED"), "not_clever"),
            (
                edited(lambda body: body["links"].append({"rel": "next", "uri": "https://MARKED.example.org"})),
                "mismatch",
            ),
        ],
        ids=["a page", "half of it", "a redirect", "a link that leads away"],
    )
    async def test_an_answer_that_is_of_no_use_is_told_apart_from_a_good_one(
        self, faulty: Faulty, fault: Fault, label: str
    ) -> None:
        faulty.always(ANY, fault)
        settings = Settings(
            clever_url=faulty.origin, log_level="error", upstream_tries=2, status_password="of operators"
        )
        async with inside(create_app(settings)) as http:
            answer = await ask(http, "{ district { name } }")
            text = (await http.get("/metrics")).text
            page = (await http.get("/status", auth=("ops", "of operators"))).text
        found = samples(text)

        assert answer["errors"][0]["extensions"]["code"] == "UPSTREAM_INVALID_RESPONSE"
        assert value(found, "gateway_upstream_failures_total", failure=label) == 2
        assert value(found, "gateway_upstream_failures_total") == 2
        said = {"not_clever": "an answer that is not Clever&#x27;s", "mismatch": "an answer to something else"}
        assert f"<code>/districts</code></th><td>{said[label]}</td><td class=number>2</td>" in page
        assert "MARKED" not in text + page

    async def test_so_is_one_whose_records_are_another_district_s(self, upstream: Upstream) -> None:
        heard: list[Misread] = []
        async with CleverClient(upstream.origin, "v3.1", on_misread=heard.append) as client:
            call = first_page(DISTRICT_SCHOOLS, None, EVERYTHING, 10)
            await client.page(Tenant(TOKEN, "a district"), call, Allowance(10, 10))
            # As if a cache on the way gave one district's answers to another.
            with pytest.raises(UpstreamInvalidResponse):
                await client.page(Tenant("TEST_TOKEN_2", "a district"), call, Allowance(10, 10))

        assert [(one.template, one.fault) for one in heard] == [("/schools", "mismatch")] * 2


class TestStates:
    async def test_reads_are_misses_then_hits_then_stale(self, upstream: Upstream) -> None:
        settings = Settings(clever_url=upstream.origin, response_cache=False, log_level="error")
        async with inside(create_app(settings)) as http:
            await ask(http)
            cold = await read(http)
            await ask(http)
            warm = await read(http)
        reads = "gateway_cache_reads_total"

        assert value(cold, reads, outcome="miss") >= 2
        assert value(cold, reads, outcome="hit") == 0
        assert value(warm, reads, outcome="hit") >= 2
        assert value(warm, reads, outcome="miss") == value(cold, reads, outcome="miss")
        assert value(warm, reads, outcome="stale") == 0
        assert value(warm, "gateway_cache_entries", kind="sections") >= 1
        assert 0 < value(warm, "gateway_cache_bytes") < value(warm, "gateway_cache_capacity_bytes") == 512 * 1024 * 1024

    async def test_what_is_past_its_time_is_counted_as_stale(self, upstream: Upstream) -> None:
        settings = Settings(clever_url=upstream.origin, ttl_others=0, ttl_users=0, ttl_sections=0, log_level="error")
        async with inside(create_app(settings)) as http:
            await ask(http, "{ district { name } }")
            await ask(http, "{ district { name } }")
            found = await read(http)

        # With no time to be fresh nothing is usable either: it is read again.
        assert value(found, "gateway_cache_reads_total", outcome="miss", kind="districts") == 2

    async def test_the_budget_is_that_of_the_token_with_the_fewest_calls_left(self, upstream: Upstream) -> None:
        settings = Settings(clever_url=upstream.origin, calls_per_minute=10, cache=False, log_level="error")
        async with inside(create_app(settings)) as http:
            before = await read(http)
            for _ in range(6):
                await ask(http, "{ district { name } }")
            await ask(http, "{ district { name } }", authorization="Bearer TEST_TOKEN_2")
            found = await read(http)

        assert value(before, "gateway_budget_least_left_calls") == value(before, "gateway_budget_calls") == 10
        assert value(found, "gateway_budget_least_left_calls") == 4
        assert value(found, "gateway_budget_tenants", left="under 50%") == 1
        assert value(found, "gateway_budget_tenants", left="50% and more") == 1
        assert not [labels for name, labels in found if name == "gateway_budget_district_left_calls"]

    async def test_districts_have_labels_of_their_own_but_no_more_than_fifty(self, upstream: Upstream) -> None:
        async with CleverClient(upstream.origin, "v3.1") as client:
            source = Source(client)
            metrics = Metrics()
            metrics.watch(Watched(lambda: source, Responses(0), 1200))
            tokens = [*[f"OTHER_{number}" for number in range(MOST_DISTRICTS + 4)], TOKEN]
            tenants = [Tenant(token, district=f"{number:024x}") for number, token in enumerate(tokens)]
            for tenant in tenants:
                source.statistics(tenant)
            await client.count(tenants[-1], CountCall(SCHOOLS), Allowance(10, 10))
            found = samples(metrics.render().decode())
        left = {dict(has)["district"]: number for (name, has), number in found.items() if name == DISTRICT_LEFT}

        assert len(left) == MOST_DISTRICTS
        assert left[tenants[-1].district or ""] == min(left.values()) == 1199

    async def test_answers_that_are_kept_take_memory(self, upstream: Upstream) -> None:
        async with inside(create_app(Settings(clever_url=upstream.origin, log_level="error"))) as http:
            await ask(http)
            found = await read(http)

        assert value(found, "gateway_answers_entries") == 1
        assert value(found, "gateway_answers_bytes") > 500

    def test_with_nothing_to_watch_there_are_no_states_but_all_metrics(self) -> None:
        text = Metrics().render().decode()

        assert "# TYPE gateway_cache_bytes gauge" in text
        assert "\ngateway_cache_bytes" not in text


class TestHooks:
    def test_redis_is_counted(self) -> None:
        metrics = Metrics()
        for done in (
            RedisDone("link", "up"),
            RedisDone("find", "ok", 0.001, 512),
            RedisDone("find", "hit"),
            RedisDone("calls", "timeout", 0.5),
        ):
            metrics.on_redis(done)
        found = samples(metrics.render().decode())

        assert value(found, "gateway_redis_up") == 1
        assert value(found, "gateway_redis_reads_total", outcome="hit") == 1
        assert value(found, "gateway_redis_seconds_count", action="find", outcome="ok") == 1
        assert value(found, "gateway_redis_seconds_sum", action="calls", outcome="timeout") == 0.5
        assert value(found, "gateway_redis_bytes_total", action="find") == 512
        metrics.on_redis(RedisDone("link", "down"))
        assert value(samples(metrics.render().decode()), "gateway_redis_up") == 0


def test_every_metric_says_what_it_is_and_names_its_unit() -> None:
    families = list(text_string_to_metric_families(Metrics().render().decode()))
    ours = [family for family in families if family.name.startswith("gateway_")]

    assert len(ours) > 20
    for family in ours:
        assert re.fullmatch(r"[A-Z].*\.", family.documentation, re.DOTALL), family.name
        if family.type == "histogram":
            assert family.name.endswith("_seconds")


def test_a_request_and_a_call_cost_microseconds_to_count() -> None:
    metrics = Metrics()
    done = RequestDone(
        "id", "POST", "/graphql", 200, 0.0004, 0, (), RequestFacts(operation=Named("Rosters", "0" * 8), kept=True)
    )
    call = CallSent("/users", 200, 0.1, 100, 1, "scan")

    def count() -> None:
        metrics.on_request(done)
        metrics.on_call(call)

    # About six on a quiet machine; looked up anew each time it would be twelve.
    assert min(timeit.repeat(count, number=200, repeat=9)) / 200 < 100e-6
