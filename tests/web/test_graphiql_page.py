"""The GraphiQL page: what it is served with, in both of its forms, and that its example operations run."""

import gzip
import html
import json
import re
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest
from graphql import build_schema, parse, validate
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import Message

from gateway.web import graphiql_page
from gateway.web.graphiql_page import bundle_available, graphiql_routes

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "gateway" / "web" / "graphiql"
EXAMPLES = sorted((SOURCES / "src" / "examples").glob("*.graphql"))

SCRIPT = b"console.log('bundled');" * 100
INDEX = (
    '<!doctype html><html><head><meta name="graphql-endpoint" content="/graphql">'
    '<meta name="demo-token" content=""><meta name="explain" content=""><meta name="sign-in" content="">'
    '<meta name="sign-out" content=""><script type="module" src="./assets/index-abc123.js"></script>'
    '<link rel="stylesheet" href="./assets/style-def456.css"></head><body></body></html>'
)


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small bundle in place of the built one."""
    out = tmp_path / "out"
    (out / "assets").mkdir(parents=True)
    (out / "index.html").write_text(INDEX)
    (out / "assets" / "index-abc123.js").write_bytes(SCRIPT)
    (out / "assets" / "index-abc123.js.gz").write_bytes(gzip.compress(SCRIPT))
    (out / "assets" / "style-def456.css").write_text("body { margin: 0 }")
    (out / "assets" / "codicon-789.ttf").write_bytes(b"\0\1\0\0")
    (tmp_path / "secret.js").write_text("secret")
    (out / "secret.js").write_text("secret")
    monkeypatch.setattr(graphiql_page, "_BUNDLE", out)
    return out


@pytest.fixture
def no_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphiql_page, "_BUNDLE", tmp_path / "out")


def client_of(*, demo_token: str | None = None, explain: bool = False) -> httpx.AsyncClient:
    return client_to(Starlette(routes=graphiql_routes(demo_token=demo_token, explain=explain)))


def client_to(app: Starlette) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway.test")


async def status_of(app: Starlette, raw_path: str) -> int:
    """Ask for a path exactly as written: an HTTP client would tidy its dots away."""
    statuses: list[int] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": unquote(raw_path),
        "raw_path": raw_path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [],
    }
    await app(scope, receive, send)
    (status,) = statuses
    return status


def policy_of(header: str) -> dict[str, list[str]]:
    return {name: sources for name, *sources in (part.split() for part in header.split(";"))}


def meta_of(page: str, name: str) -> str:
    found = re.search(rf'<meta name="{name}" content="([^"]*)">', page)
    assert found is not None
    return html.unescape(found[1])


@pytest.mark.usefixtures("bundle")
class TestWithABundle:
    def test_the_bundle_is_reported(self) -> None:
        assert bundle_available()

    async def test_the_page_is_never_stored_framed_or_sniffed(self) -> None:
        answer = await client_of().get("/graphiql")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-frame-options"] == "DENY"

    @pytest.mark.parametrize(("explain", "content"), [(False, ""), (True, "on")])
    async def test_the_page_knows_whether_plans_are_told(self, explain: bool, content: str) -> None:
        page = (await client_of(explain=explain).get("/graphiql")).text
        assert meta_of(page, "explain") == content

    async def test_the_page_knows_where_people_sign_in_and_out(self) -> None:
        tokens = await client_of(demo_token="TEST_TOKEN").get("/graphiql")
        people = await client_to(Starlette(routes=graphiql_routes(sign_in=True))).get("/graphiql")

        assert (meta_of(tokens.text, "sign-in"), meta_of(tokens.text, "sign-out")) == ("", "")
        assert meta_of(people.text, "sign-in") == "/login?next=%2Fgraphiql"
        assert meta_of(people.text, "sign-out") == "/logout?next=%2Fgraphiql"
        assert policy_of(tokens.headers["content-security-policy"])["form-action"] == ["'none'"]
        assert policy_of(people.headers["content-security-policy"])["form-action"] == ["'self'"]

    async def test_the_policy_allows_this_origin_alone_and_no_inline_script(self) -> None:
        answer = await client_of().get("/graphiql")
        policy = policy_of(answer.headers["content-security-policy"])
        assert policy["default-src"] == ["'none'"]
        assert policy["script-src"] == ["'self'"]
        assert policy["style-src"] == ["'self'", "'unsafe-inline'"]
        assert policy["connect-src"] == policy["worker-src"] == ["'self'"]
        assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == ["'none'"]
        assert "//" not in answer.headers["content-security-policy"]

    @pytest.mark.parametrize("address", ["/graphiql", "/graphiql/"])
    async def test_every_file_of_the_page_is_found_from_both_of_its_addresses(self, address: str) -> None:
        client = client_of()
        files = re.findall(r'(?:src|href)="([^"]+)"', (await client.get(address)).text)
        assert len(files) == 2
        for file in files:
            assert file.startswith("/graphiql/assets/")
            assert (await client.get(file)).status_code == 200

    async def test_the_page_keeps_working_under_a_mount_and_another_path(self) -> None:
        routes = graphiql_routes(endpoint="/api", path="/ide")
        client = client_to(Starlette(routes=[Mount("/roster", routes=routes)]))
        page = (await client.get("/roster/ide")).text
        assert meta_of(page, "graphql-endpoint") == "/roster/api"
        assert (await client.get("/roster/ide/assets/index-abc123.js")).content == SCRIPT
        assert 'src="/roster/ide/assets/index-abc123.js"' in page

    @pytest.mark.parametrize(
        "token", ["abc-123", '"><script>alert(1)</script>', "'&amp;<b>", '="./assets/', "./x", "\\1 \\g<0> {nonce}"]
    )
    async def test_any_demo_token_arrives_as_it_is_and_changes_nothing_else(self, token: str) -> None:
        page = (await client_of(demo_token=token).get("/graphiql")).text
        assert meta_of(page, "demo-token") == token
        plain = (await client_of().get("/graphiql")).text
        assert page == plain.replace('"demo-token" content=""', f'"demo-token" content="{html.escape(token)}"')

    async def test_without_a_demo_token_the_field_starts_empty(self) -> None:
        assert meta_of((await client_of().get("/graphiql")).text, "demo-token") == ""

    async def test_files_with_hashed_names_are_kept_for_good(self) -> None:
        answer = await client_of().get("/graphiql/assets/style-def456.css")
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["x-content-type-options"] == "nosniff"

    @pytest.mark.parametrize(
        ("name", "media_type"),
        [
            ("index-abc123.js", "text/javascript; charset=utf-8"),
            ("style-def456.css", "text/css; charset=utf-8"),
            ("codicon-789.ttf", "font/ttf"),
        ],
    )
    async def test_files_say_what_they_are(self, name: str, media_type: str) -> None:
        assert (await client_of().get(f"/graphiql/assets/{name}")).headers["content-type"] == media_type

    @pytest.mark.parametrize("accepted", ["gzip", "br, gzip;q=0.5", "GZIP", "identity, gzip ; q=1.0"])
    async def test_who_accepts_gzip_gets_the_packed_sibling(self, accepted: str) -> None:
        answer = await client_of().get("/graphiql/assets/index-abc123.js", headers={"accept-encoding": accepted})
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
        assert answer.headers["vary"] == "Accept-Encoding"
        assert int(answer.headers["content-length"]) < len(SCRIPT)
        assert answer.content == SCRIPT

    @pytest.mark.parametrize("accepted", ["identity", "br", "gzip;q=0", "gzip; q=0.00", "x-gzip-not"])
    async def test_who_does_not_gets_the_file_itself(self, accepted: str) -> None:
        answer = await client_of().get("/graphiql/assets/index-abc123.js", headers={"accept-encoding": accepted})
        assert "content-encoding" not in answer.headers
        assert answer.headers["vary"] == "Accept-Encoding"
        assert answer.content == SCRIPT

    async def test_a_file_without_a_packed_sibling_does_not_vary(self) -> None:
        answer = await client_of().get("/graphiql/assets/style-def456.css", headers={"accept-encoding": "gzip"})
        assert "content-encoding" not in answer.headers
        assert "vary" not in answer.headers

    async def test_the_two_forms_of_a_file_have_different_etags(self) -> None:
        client = client_of()
        etags = {
            (await client.head("/graphiql/assets/index-abc123.js", headers={"accept-encoding": coding})).headers["etag"]
            for coding in ("gzip", "identity")
        }
        assert len(etags) == 2

    async def test_a_known_etag_costs_no_body(self) -> None:
        client = client_of()
        etag = (await client.get("/graphiql/assets/index-abc123.js")).headers["etag"]
        for known in (etag, f'"other", W/{etag}'):
            answer = await client.get("/graphiql/assets/index-abc123.js", headers={"if-none-match": known})
            assert answer.status_code == 304
            assert answer.content == b""
            assert answer.headers["etag"] == etag
        answer = await client.get("/graphiql/assets/index-abc123.js", headers={"if-none-match": '"other"'})
        assert answer.status_code == 200

    async def test_head_tells_the_length_without_the_body(self) -> None:
        answer = await client_of().head("/graphiql/assets/index-abc123.js", headers={"accept-encoding": "identity"})
        assert answer.status_code == 200
        assert answer.headers["content-length"] == str(len(SCRIPT))
        assert answer.content == b""

    @pytest.mark.parametrize(
        "name",
        [
            "nothing.js",
            "",
            "index-abc123.js.gz",
            "../index.html",
            "../secret.js",
            "..%2fsecret.js",
            "%2e%2e%2f%2e%2e%2fsecret.js",
            "..%5csecret.js",
            "....//secret.js",
            "%2fetc%2fpasswd",
            "index-abc123.js%00",
            "./index-abc123.js/..",
        ],
    )
    async def test_nothing_but_the_bundles_own_files_is_served(self, name: str) -> None:
        app = Starlette(routes=graphiql_routes())
        assert await status_of(app, f"/graphiql/assets/{name}") == 404

    async def test_files_are_read_only(self) -> None:
        assert (await client_of().post("/graphiql/assets/index-abc123.js")).status_code == 405
        assert (await client_of().post("/graphiql")).status_code == 405


@pytest.mark.usefixtures("no_bundle")
class TestWithoutABundle:
    def test_the_missing_bundle_is_reported(self) -> None:
        assert not bundle_available()

    async def test_the_page_says_where_graphiql_comes_from(self) -> None:
        page = (await client_of().get("/graphiql")).text
        assert "GraphiQL is loaded from a CDN because this installation was built without Node" in page

    async def test_every_address_elsewhere_names_one_host_and_an_exact_version(self) -> None:
        addresses = re.findall(r'"(https?://[^"]+)"', (await client_of().get("/graphiql")).text)
        assert len(addresses) > 10
        for address in addresses:
            assert re.match(r"https://esm\.sh/(@[a-z]+/)?[a-z-]+@\d+\.\d+\.\d+(/|\?|$)", address), address

    async def test_the_cdn_serves_the_versions_the_bundle_is_made_of(self) -> None:
        locked = json.loads((SOURCES / "package-lock.json").read_text())["packages"]
        page = (await client_of().get("/graphiql")).text
        pinned = set(re.findall(r"((?:@[a-z]+/)?[a-z-]+)@(\d+\.\d+\.\d+)", page))
        assert len(pinned) == 9
        for package, version in pinned:
            assert locked[f"node_modules/{package}"]["version"] == version

    async def test_every_package_the_sources_import_is_in_the_import_map(self) -> None:
        page = (await client_of().get("/graphiql")).text
        found = re.search(r'<script type="importmap" nonce="[^"]+">(.+?)</script>', page)
        assert found is not None
        packages = json.loads(found[1])["imports"]
        served = set(re.findall(r'src="/graphiql/assets/([a-z]+\.js)"', page))
        assert served == {"cdn.js"}
        client, seen = client_of(), set[str]()
        while served - seen:
            name = (served - seen).pop()
            seen.add(name)
            source = await client.get(f"/graphiql/assets/{name}")
            assert source.status_code == 200
            for imported in re.findall(r"(?:from|import|import\() ?'([^']+)'", source.text):
                if imported.startswith("./"):
                    served.add(imported.removeprefix("./"))
                else:
                    assert imported in packages or f"{imported.split('/')[0]}/" in packages, imported
        assert {"ide.js", "token-bar.js", "fetcher.js", "workers.js", "explorer.js", "plans.js", "waterfall.js"} <= seen

    async def test_the_policy_adds_the_cdn_and_a_nonce_made_for_this_answer(self) -> None:
        client = client_of()
        nonces = set()
        for _ in range(2):
            answer = await client.get("/graphiql")
            policy = policy_of(answer.headers["content-security-policy"])
            own, nonce, cdn = policy["script-src"]
            assert (own, cdn) == ("'self'", "https://esm.sh")
            assert f'nonce="{nonce.removeprefix(chr(39) + "nonce-").rstrip(chr(39))}"' in answer.text
            assert policy["connect-src"] == ["'self'"]
            assert policy["worker-src"] == ["blob:", "https://esm.sh"]
            assert "'unsafe-eval'" not in answer.headers["content-security-policy"]
            assert answer.headers["cache-control"] == "no-store"
            nonces.add(nonce)
        assert len(nonces) == 2

    async def test_the_page_has_no_inline_code_but_data(self) -> None:
        page = (await client_of().get("/graphiql")).text
        for attributes, content in re.findall(r"<script([^>]*)>(.*?)</script>", page, re.DOTALL):
            assert not content or 'type="importmap"' in attributes or 'type="application/json"' in attributes

    async def test_the_examples_are_the_bundles(self) -> None:
        page = (await client_of().get("/graphiql")).text
        found = re.search(r'<script type="application/json" id="examples">(.+?)</script>', page)
        assert found is not None
        examples = json.loads(found[1])
        assert [example["query"] for example in examples] == [file.read_text() for file in EXAMPLES]
        assert json.loads(examples[1]["variables"]) == {"first": 3}

    async def test_a_demo_token_is_escaped_here_too(self) -> None:
        token = '"></head><script>alert(1)</script>'
        page = (await client_of(demo_token=token).get("/graphiql")).text
        assert token not in page
        assert meta_of(page, "demo-token") == token

    async def test_files_with_plain_names_are_asked_for_again(self) -> None:
        client = client_of()
        answer = await client.get("/graphiql/assets/cdn.js")
        assert answer.headers["cache-control"] == "no-cache"
        etag = answer.headers["etag"]
        assert (await client.get("/graphiql/assets/cdn.js", headers={"if-none-match": etag})).status_code == 304
        assert (await client.get("/graphiql/assets/main.js")).status_code == 404


class TestSources:
    def test_there_are_three_examples_each_with_a_name_and_a_comment(self) -> None:
        assert len(EXAMPLES) == 3
        for file in EXAMPLES:
            assert file.read_text().startswith("# ")
            operation = parse(file.read_text()).definitions[0].to_dict()
            assert operation["name"]["value"]

    @pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
    def test_examples_are_valid_against_the_schema(self, file: Path) -> None:
        schema = build_schema((ROOT / "schema.graphql").read_text())
        assert validate(schema, parse(file.read_text())) == []

    def test_the_source_page_has_a_place_for_each_setting(self) -> None:
        page = (SOURCES / "index.html").read_text()
        assert meta_of(page, "graphql-endpoint") == "/graphql"
        assert meta_of(page, "demo-token") == ""
        assert meta_of(page, "explain") == ""

    def test_packages_are_pinned_and_the_lock_names_no_registry(self) -> None:
        package = json.loads((SOURCES / "package.json").read_text())
        for version in {**package["dependencies"], **package["devDependencies"]}.values():
            assert re.fullmatch(r"\d+\.\d+\.\d+", version)
        assert '"resolved"' not in (SOURCES / "package-lock.json").read_text()
