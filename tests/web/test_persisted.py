"""Documents by id, over HTTP: Apollo's automatic persisted queries, and a manifest of trusted documents."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from graphql import get_introspection_query

from gateway.app import create_app
from gateway.settings import Settings
from tests.cli.processes import run
from tests.conftest import TOKEN, Gateway, Upstream
from tests.observability.lines import logged
from tests.web.conftest import GRAPHQL_JSON, inside

AUTHORIZED = {"authorization": f"Bearer {TOKEN}"}
TEXT = "query District { district { name } }"
TRUSTED = {"9b1c": TEXT}


def persisted(text: str) -> dict[str, Any]:
    return {"persistedQuery": {"version": 1, "sha256Hash": sha256(text.encode()).hexdigest()}}


class TestAutomatic:
    async def test_the_hash_alone_is_asked_first_then_the_text_once(self, gateway: Gateway) -> None:
        text = "query Automatic { district { name } }"
        by_hash = {"operationName": "Automatic", "extensions": persisted(text)}
        first = await gateway.http.post("/graphql", json=by_hash, headers=AUTHORIZED)
        assert first.status_code == 200
        assert first.json() == {
            "errors": [{"message": "PersistedQueryNotFound", "extensions": {"code": "PERSISTED_QUERY_NOT_FOUND"}}]
        }

        whole = await gateway.http.post("/graphql", json={"query": text, **by_hash}, headers=AUTHORIZED)
        again = await gateway.http.post("/graphql", json=by_hash, headers=AUTHORIZED)
        parameters = {"extensions": json.dumps(persisted(text)), "operationName": "Automatic"}
        got = await gateway.http.get("/graphql", params=parameters, headers=AUTHORIZED)

        assert whole.json()["data"] == again.json()["data"] == got.json()["data"]
        assert got.json()["data"]["district"]["name"]

    async def test_a_get_registers_too(self, gateway: Gateway) -> None:
        text = "{ registered: __typename }"
        parameters = {"query": text, "extensions": json.dumps(persisted(text))}
        await gateway.http.get("/graphql", params=parameters, headers=AUTHORIZED)
        del parameters["query"]

        response = await gateway.http.get("/graphql", params=parameters, headers=AUTHORIZED)
        assert response.json() == {"data": {"registered": "Query"}}

    @pytest.mark.parametrize("text", ["{", "{ nothing }"])
    async def test_what_is_no_valid_document_is_not_kept(self, gateway: Gateway, text: str) -> None:
        sent = {"extensions": persisted(text)}
        await gateway.http.post("/graphql", json={"query": text, **sent}, headers=AUTHORIZED)
        response = await gateway.http.post("/graphql", json=sent, headers=AUTHORIZED)

        assert response.json()["errors"][0]["message"] == "PersistedQueryNotFound"

    @pytest.mark.parametrize(
        ("extension", "message"),
        [
            ({"version": 1, "sha256Hash": "0" * 64}, "provided sha does not match query"),
            ({"version": 2, "sha256Hash": "0" * 64}, "Unsupported persisted query version"),
            ({"sha256Hash": "0" * 64}, "Unsupported persisted query version"),
            (3, "Unsupported persisted query version"),
            ({"version": 1}, "`extensions.persistedQuery.sha256Hash` must be a string."),
            ({"version": 1, "sha256Hash": 3}, "`extensions.persistedQuery.sha256Hash` must be a string."),
        ],
    )
    async def test_what_is_sent_wrongly_gets_400(self, gateway: Gateway, extension: object, message: str) -> None:
        body = {"query": TEXT, "extensions": {"persistedQuery": extension}}
        response = await gateway.http.post("/graphql", json=body, headers={"accept": GRAPHQL_JSON, **AUTHORIZED})

        assert response.status_code == 400
        assert response.json() == {"errors": [{"message": message, "extensions": {"code": "BAD_USER_INPUT"}}]}

    async def test_it_can_be_turned_off(self, upstream: Upstream) -> None:
        async with inside(create_app(Settings(clever_url=upstream.origin, persisted_bytes=0))) as http:
            response = await http.post("/graphql", json={"extensions": persisted(TEXT)}, headers=AUTHORIZED)

        assert response.status_code == 200
        assert response.json()["errors"][0] == {
            "message": "PersistedQueryNotSupported",
            "extensions": {"code": "PERSISTED_QUERY_NOT_SUPPORTED"},
        }

    async def test_a_stranger_learns_nothing_by_a_hash(self, closed: httpx.AsyncClient) -> None:
        response = await closed.post("/graphql", json={"extensions": persisted(TEXT)})

        assert response.status_code == 401


@pytest.fixture
def manifest(tmp_path: Path) -> str:
    path = tmp_path / "persisted-documents.json"
    path.write_text(json.dumps(TRUSTED))
    return str(path)


class TestTrusted:
    @pytest.mark.parametrize("name", ["documentId", "id", "doc_id"])
    async def test_a_document_runs_by_its_id(self, upstream: Upstream, manifest: str, name: str) -> None:
        async with inside(create_app(Settings(clever_url=upstream.origin, trusted_documents=manifest))) as http:
            posted = await http.post("/graphql", json={name: "9b1c"}, headers=AUTHORIZED)
            got = await http.get("/graphql", params={name: "9b1c"}, headers=AUTHORIZED)

        assert posted.json()["data"] == got.json()["data"]
        assert got.json()["data"]["district"]["name"]

    @pytest.mark.parametrize("text", ["{ district { name } }", get_introspection_query(), f"{TEXT}\n"])
    async def test_no_other_runs(self, upstream: Upstream, manifest: str, text: str) -> None:
        settings = Settings(clever_url=upstream.origin, trusted_documents=manifest, public_introspection=True)
        async with inside(create_app(settings)) as http:
            response = await http.post("/graphql", json={"query": text}, headers=AUTHORIZED)
            own = await http.post("/graphql", json={"query": TEXT}, headers=AUTHORIZED)

        assert response.status_code == 403
        assert response.json()["errors"][0]["extensions"] == {"code": "DOCUMENT_NOT_TRUSTED"}
        assert own.json()["data"]["district"]["name"]

    async def test_others_run_and_are_logged_by_their_hash(self, upstream: Upstream, manifest: str) -> None:
        settings = Settings(clever_url=upstream.origin, trusted_documents=manifest, trusted_documents_mode="log")
        with logged() as log:
            async with inside(create_app(settings)) as http:
                response = await http.post("/graphql", json={"query": "{ marked: __typename }"}, headers=AUTHORIZED)

        assert response.json() == {"data": {"marked": "Query"}}
        (line,) = log.of("untrusted document")
        assert line["sha256"] == sha256(b"{ marked: __typename }").hexdigest()
        assert line["request_id"] == response.headers["x-request-id"]
        assert "marked" not in log.text

    async def test_an_unknown_id_gets_404(self, gateway: Gateway) -> None:
        response = await gateway.http.post("/graphql", json={"documentId": "MARKED"}, headers=AUTHORIZED)

        assert response.status_code == 404
        assert response.json()["errors"][0]["extensions"] == {"code": "PERSISTED_QUERY_NOT_FOUND"}
        assert "MARKED" not in response.text

    def test_a_manifest_that_cannot_be_used_is_told_in_a_sentence(self, tmp_path: Path) -> None:
        done = run("serve", "--port", "0", GATEWAY_TRUSTED_DOCUMENTS=str(tmp_path / "none.json"))

        assert done.returncode == 2
        assert done.stderr.startswith(
            "clever-gateway: GATEWAY_TRUSTED_DOCUMENTS: the manifest of trusted documents cannot be read"
        )
