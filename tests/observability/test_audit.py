"""The audit log: a line for each request that says who was given how much of what, and holds no value."""

import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.observability.audit import AuditLog
from gateway.settings import Misconfigured, Settings
from gateway.web.api_keys import hashed, new_key
from gateway.web.facts import RequestFacts
from gateway.web.middleware import RequestDone
from tests.conftest import TOKEN, Joins, Upstream
from tests.journeys.test_canary import leaves
from tests.observability.lines import logged
from tests.servers import running
from tests.web.conftest import inside
from tests.web.issuer import AUDIENCE, ISSUER, KeySet, claims_of, signed

MARK = "Zebulon-Canary-4711"
ROSTER = """query Roster($first: Int) { sections(first: $first) { nodes { name teacher { name { last } email }
    students { nodes { id cleverId email name { first last } student { dob studentNumber } } } } } }"""
SCHOOLS = "{ schools { nodes { name } } }"
DONE = RequestDone("an-id", "POST", "/graphql", 200, 0.1, 0, (), RequestFacts())


class Audited:
    """A gateway with an audit log."""

    def __init__(self, http: httpx.AsyncClient, path: Path) -> None:
        self.http = http
        self.path = path

    async def ask(self, query: str, token: str | None = TOKEN, **body: Any) -> httpx.Response:
        """Send a query."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return await self.http.post("/graphql", json={"query": query, **body}, headers=headers)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Return the log's lines."""
        return [json.loads(line) for line in self.path.read_text().splitlines()]


@asynccontextmanager
async def audited(upstream: Upstream, path: Path, **more: Any) -> AsyncIterator[Audited]:
    settings = Settings(**{"clever_url": upstream.origin, "audit_log": str(path), "log_level": "error", **more})
    async with inside(create_app(settings)) as http:
        yield Audited(http, path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


class TestALine:
    async def test_says_who_was_given_how_much_of_what(self, upstream: Upstream, path: Path, joins: Joins) -> None:
        async with audited(upstream, path) as gateway:
            sections = (await gateway.ask(ROSTER, variables={"first": 1000})).json()["data"]["sections"]["nodes"]
            (line,) = gateway.lines
        students = {one["cleverId"] for section in sections for one in section["students"]["nodes"]}
        teachers = {
            one["teacher"] for one in joins.records["sections"].values() if one.get("teacher") in joins.records["users"]
        }
        assert line.pop("time").endswith("Z")
        assert len(line.pop("request_id")) == 32
        assert len(line.pop("who")) == 16
        assert line == {
            "kind": "token",
            "district": None,
            "operation": "query",
            "document": sha256(ROSTER.encode()).hexdigest(),
            "trusted_document": None,
            "records": {"sections": len(sections), "users": len(students | teachers)},
            "decision": "answered",
            "status": 200,
        }

    async def test_is_the_same_where_an_answer_is_given_again(self, upstream: Upstream, path: Path) -> None:
        async with audited(upstream, path) as gateway:
            for spelling in (ROSTER, ROSTER, ROSTER):
                await gateway.ask(spelling, variables={"first": 5})
            await gateway.ask(ROSTER, operationName="Roster", variables={"first": 5})
            lines = gateway.lines
        assert len(lines) == 4
        told = [{name: value for name, value in line.items() if name not in ("time", "request_id")} for line in lines]
        assert told[1:] == [told[0]] * 3
        assert told[0]["records"]["sections"] == 5

    @pytest.mark.parametrize("engine", ["compiled", "graphql-core"])
    async def test_counts_each_record_once_whatever_runs_the_query(
        self, upstream: Upstream, path: Path, engine: str
    ) -> None:
        async with audited(upstream, path, engine=engine) as gateway:
            await gateway.ask("{ a: schools { nodes { name } totalCount } b: schools(first: 2) { nodes { name } } }")
            await gateway.ask("{ users(first: 0) { totalCount } }")
            lines = gateway.lines
        assert [line["records"].get("schools", 0) for line in lines] == [len(upstream.app.records(TOKEN)["schools"]), 0]
        assert lines[1]["records"].get("users", 0) == 0

    async def test_tells_what_was_refused_and_that_nothing_was_handed_out(self, upstream: Upstream, path: Path) -> None:
        async with audited(upstream, path) as gateway:
            await gateway.ask(SCHOOLS, None)
            await gateway.ask("{", TOKEN)
            await gateway.ask("{ nothing }", TOKEN)
            await gateway.http.get("/graphql", params={"query": SCHOOLS})
            await gateway.http.put("/graphql")
            await gateway.http.get("/healthz")
            lines = gateway.lines
        assert [(line["kind"], line["decision"], line["status"], line["records"]) for line in lines] == [
            ("nobody", "refused:UNAUTHENTICATED", 401, {}),
            ("token", "refused:GRAPHQL_PARSE_FAILED", 200, {}),
            ("token", "refused:GRAPHQL_VALIDATION_FAILED", 200, {}),
            ("nobody", "refused:CSRF_PREVENTED", 400, {}),
        ]
        assert lines[1]["document"] == sha256(b"{").hexdigest()

    async def test_counts_the_fields_that_were_forbidden(self, upstream: Upstream, path: Path) -> None:
        async with audited(upstream, path) as gateway:
            query = "{ district { name } schools { nodes { name } } sections { nodes { name } } }"
            await gateway.ask(query, "TEST_TOKEN_NO_SYNC")
            (line,) = gateway.lines
        assert (line["decision"], line["records"]) == ("forbidden:2", {"districts": 1})

    async def test_names_a_trusted_document(self, upstream: Upstream, path: Path, tmp_path: Path) -> None:
        manifest = tmp_path / "manifest.json"
        manifest.write_text(json.dumps({"schools-1": SCHOOLS}))
        more = {"trusted_documents": str(manifest), "trusted_documents_mode": "log"}
        async with audited(upstream, path, **more) as gateway:
            sent = {"documentId": "schools-1"}
            await gateway.http.post("/graphql", json=sent, headers={"authorization": f"Bearer {TOKEN}"})
            await gateway.ask("{ terms { nodes { name } } }")
            lines = gateway.lines
        assert [line["trusted_document"] for line in lines] == ["schools-1", None]


class TestWho:
    async def test_is_named_the_same_after_a_start_with_the_same_key_and_else_not(
        self, upstream: Upstream, path: Path
    ) -> None:
        for key in ("one key", "one key", "another", None, None):
            async with audited(upstream, path, pseudonym_key=key) as gateway:
                for token in (TOKEN, "TEST_TOKEN_2"):
                    await gateway.ask(SCHOOLS, token)
        lines = gateway.lines
        assert lines[0]["who"] == lines[2]["who"]
        assert lines[1]["who"] == lines[3]["who"]
        assert len({line["who"] for line in lines}) == 8

    async def test_is_a_person_or_a_back_end_where_the_gateway_holds_the_tokens(
        self, upstream: Upstream, path: Path, tmp_path: Path
    ) -> None:
        district = upstream.app.describe()[0].id
        user = upstream.app.user_tokens["ilc_DEMO_TEACHER_TOKEN"]
        key, file = new_key(), tmp_path / "keys.json"
        file.write_text(json.dumps([{"name": "reports", "sha256": hashed(key), "district": district}]))
        with running(KeySet()) as issuer:
            more = {
                "auth": "viewer",
                "district_tokens": f"{district}={TOKEN}",
                "api_keys_file": str(file),
                "jwt_jwks_url": issuer,
                "jwt_issuer": ISSUER,
                "jwt_audience": AUDIENCE,
                "pseudonym_key": "a key",
            }
            async with audited(upstream, path, **more) as gateway:
                tokens = [signed(claims_of(user, district, jti=MARK + str(number))) for number in range(2)]
                for token in (key, *tokens):
                    assert "errors" not in (await gateway.ask(SCHOOLS, token)).json()
                await gateway.ask(SCHOOLS, TOKEN)
                lines, text = gateway.lines, path.read_text()
        assert [(line["kind"], line["district"], line["decision"]) for line in lines] == [
            ("api_key", district, "answered"),
            ("viewer", district, "answered"),
            ("viewer", district, "answered"),
            ("nobody", None, "refused:UNAUTHENTICATED"),
        ]
        assert lines[0]["who"] == "reports"
        assert lines[1]["who"] == lines[2]["who"] != user
        for secret in (user, MARK, key, key[4:], hashed(key), *tokens):
            assert secret not in text


class TestNoValue:
    async def test_of_a_district_or_a_request_is_in_it(self, upstream: Upstream, path: Path) -> None:
        async with audited(upstream, path) as gateway:
            body = (await gateway.ask(ROSTER, variables={"first": 1000})).json()["data"]
            await gateway.ask(f'query {MARK[:7]} {{ school(id: "{MARK}") {{ name }} }}', MARK)
            await gateway.ask(ROSTER, variables={"first": MARK}, operationName=MARK)
            text = path.read_text()
        marks = {word for word in leaves(body) if len(word) > 5}
        assert len(marks) > 100
        assert [mark for mark in (*marks, MARK, MARK[:7], TOKEN) if mark in text] == []


class TestTheFile:
    async def test_is_appended_to_and_is_its_owners_alone(self, upstream: Upstream, path: Path) -> None:
        for _ in range(2):
            async with audited(upstream, path) as gateway:
                await gateway.ask(SCHOOLS)
        assert len(gateway.lines) == 2
        assert path.stat().st_mode & 0o077 == 0

    async def test_is_begun_anew_when_it_was_moved_away(self, upstream: Upstream, path: Path) -> None:
        async with audited(upstream, path) as gateway:
            await gateway.ask(SCHOOLS)
            path.rename(path.with_suffix(".1"))
            await gateway.ask(SCHOOLS)
            await gateway.ask(SCHOOLS)
        assert len(gateway.lines) == 2
        assert len(path.with_suffix(".1").read_text().splitlines()) == 1

    def test_is_opened_again_on_a_signal_that_else_ends_the_process(self, path: Path) -> None:
        log = AuditLog(str(path))
        before = signal.getsignal(signal.SIGHUP)
        with log.reopened_on_hangup():
            log.on_request(DONE)
            os.kill(os.getpid(), signal.SIGHUP)
            log.on_request(DONE)
        assert signal.getsignal(signal.SIGHUP) == before
        assert len(path.read_text().splitlines()) == 2

    async def test_that_cannot_be_written_costs_no_request_and_is_logged_once(self, upstream: Upstream) -> None:
        if not Path("/dev/full").exists():
            pytest.skip("there is no /dev/full to write to")
        with logged("error") as log:
            async with audited(upstream, Path("/dev/full")) as gateway:
                for _ in range(3):
                    assert (await gateway.ask(SCHOOLS)).status_code == 200
        assert [line["reason"] for line in log.of("audit log cannot be written")] == ["No space left on device"]

    def test_whose_folder_is_gone_is_logged_once_until_it_is_back(self, tmp_path: Path) -> None:
        folder = tmp_path / "logs"
        folder.mkdir()
        log = AuditLog(str(folder / "audit.jsonl"))
        log.on_request(DONE)
        with logged("error") as written:
            folder.rename(tmp_path / "moved")
            for _ in range(3):
                log.on_request(DONE)
            folder.mkdir()
            log.on_request(DONE)
            (tmp_path / "logs").rename(tmp_path / "moved again")
            log.on_request(DONE)
        log.close()
        assert len(written.of("audit log cannot be written")) == 2

    def test_that_cannot_be_opened_keeps_the_gateway_from_starting(self, tmp_path: Path) -> None:
        with pytest.raises(Misconfigured, match="GATEWAY_AUDIT_LOG: the file cannot be opened"):
            create_app(Settings(audit_log=str(tmp_path)))

    def test_may_be_stdout(self, capfd: pytest.CaptureFixture[str]) -> None:
        log = AuditLog("stdout")
        log.on_request(DONE)
        log.on_request(DONE)
        lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
        assert [line["request_id"] for line in lines] == ["an-id", "an-id"]


async def test_there_is_none_unless_it_is_asked_for(upstream: Upstream, path: Path) -> None:
    async with inside(create_app(Settings(clever_url=upstream.origin, log_level="error"))) as http:
        await Audited(http, path).ask(SCHOOLS)
    assert not path.exists()
