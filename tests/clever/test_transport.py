"""The transport under the client: TLS, proxies, connections, and every failure as an error of httpx's."""

import ssl
from pathlib import Path

import httpx
import pytest
import trustme

from gateway.clever.allowance import Allowance
from gateway.clever.calls import RecordCall
from gateway.clever.catalogue import SCHOOLS
from gateway.clever.client import CleverClient, ClientLimits
from gateway.clever.transport import open_transport, proxy_for
from gateway.errors import UpstreamUnavailable
from gateway.identity import Tenant
from tests.clever.sockets import OK, answers, get, proxying, serving
from tests.resilience.fixtures import QUICK


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


# TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust the tests' authority, as a deployment trusts its own."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))


def shown_by(authority: trustme.CA, host: str) -> ssl.SSLContext:
    """Return what a server needs to pass for `host`."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(host).configure_cert(context)
    return context


@pytest.mark.usefixtures("trusted")
async def test_tls_is_spoken_with_a_server_whose_certificate_is_sound(authority: trustme.CA) -> None:
    async with serving(answers(OK), shown_by(authority, "localhost")) as server:
        origin = f"https://localhost:{server.port}"
        async with open_transport(origin, 2) as transport:
            assert [(await get(transport, origin))[1] for _ in range(2)] == [b"{}", b"{}"]
    assert server.connections == 1


async def test_an_authority_that_nobody_knows_is_not_believed(authority: trustme.CA) -> None:
    async with serving(answers(OK), shown_by(authority, "localhost")) as server:
        origin = f"https://localhost:{server.port}"
        async with open_transport(origin, 2) as transport:
            with pytest.raises(httpx.ConnectError):
                await get(transport, origin)
        async with CleverClient(origin, "v3.1", limits=ClientLimits(backoff=QUICK)) as client:
            with pytest.raises(UpstreamUnavailable, match="ConnectError"):
                await client.record(Tenant("a-token"), RecordCall(SCHOOLS, "0" * 24), Allowance(5, 5))
    assert server.heads == []


@pytest.mark.usefixtures("trusted")
async def test_a_certificate_of_another_host_is_not_believed(authority: trustme.CA) -> None:
    async with serving(answers(OK), shown_by(authority, "clever.test")) as server:
        origin = f"https://localhost:{server.port}"
        async with open_transport(origin, 2) as transport:
            with pytest.raises(httpx.ConnectError):
                await get(transport, origin)
    assert server.heads == []


# Proxies


@pytest.mark.usefixtures("trusted")
async def test_a_call_by_tls_goes_through_the_proxys_tunnel(
    authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        serving(answers(OK), shown_by(authority, "clever.test")) as server,
        serving(proxying) as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"http://jo:secret@127.0.0.1:{proxy.port}")
        origin = f"https://clever.test:{server.port}"
        async with open_transport(origin, 2) as transport:
            for _ in range(2):
                assert (await get(transport, origin, {"authorization": "Bearer a-token"}))[1] == b"{}"
    (asked,) = proxy.heads
    assert asked.startswith(f"CONNECT clever.test:{server.port} HTTP/1.1\r\n")
    assert "proxy-authorization: basic am86c2vjcmv0" in asked.lower()
    assert "a-token" not in asked
    assert all("a-token" in head and "roxy" not in head for head in server.heads)


async def test_a_call_without_tls_is_handed_to_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(proxying) as proxy:
        monkeypatch.setenv("http_proxy", f"127.0.0.1:{proxy.port}")
        async with open_transport("http://clever.test", 2) as transport:
            assert (await get(transport, "http://clever.test/v3.1/schools?limit=2"))[0] == 200
    assert proxy.heads[0].startswith("GET http://clever.test/v3.1/schools?limit=2 HTTP/1.1\r\n")


@pytest.mark.parametrize("status", ["407 Proxy Authentication Required", "503 Service Unavailable"])
async def test_a_proxy_that_refuses_is_an_error_of_the_proxys(status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = f"HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n".encode()
    async with serving(answers(refusal)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        async with open_transport("https://clever.test", 2) as transport:
            with pytest.raises(httpx.ProxyError):
                await get(transport, "https://clever.test/")
    assert len(proxy.heads) == 1


async def test_a_proxy_that_is_not_there_is_an_error_of_the_proxys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    async with open_transport("https://clever.test", 2) as transport:
        with pytest.raises(httpx.ProxyError):
            await get(transport, "https://clever.test/")


@pytest.mark.parametrize(
    ("origin", "variables", "expected"),
    [
        ("https://api.clever.com", {"HTTPS_PROXY": "http://one:3128"}, "http://one:3128"),
        ("https://api.clever.com", {"https_proxy": "one:3128"}, "http://one:3128"),
        ("https://api.clever.com", {"HTTP_PROXY": "http://one:3128"}, None),
        ("https://api.clever.com", {"HTTP_PROXY": "http://one:3128", "ALL_PROXY": "http://all:1"}, "http://all:1"),
        ("http://api.clever.com", {"HTTP_PROXY": "http://one:3128"}, "http://one:3128"),
        ("https://api.clever.com", {"HTTPS_PROXY": "http://one:3128", "NO_PROXY": "x.org,.clever.com"}, None),
        ("https://api.clever.com", {"HTTPS_PROXY": "http://one:3128", "NO_PROXY": "*"}, None),
        ("http://127.0.0.1:8100", {"HTTP_PROXY": "http://one:3128"}, None),
        ("https://localhost:8100", {"ALL_PROXY": "http://one:3128"}, None),
        ("http://[::1]:8100", {"ALL_PROXY": "socks5://one:3128"}, None),
        ("https://api.clever.com", {}, None),
    ],
)
def test_the_proxy_is_the_one_that_the_environment_names(
    origin: str, variables: dict[str, str], expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    proxy = proxy_for(origin)
    assert (str(proxy.url) if proxy else None) == expected


@pytest.mark.parametrize("proxy", ["socks5://one:1080", "ftp://one"])
def test_a_proxy_of_another_kind_is_refused_at_once(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(ValueError, match=r"(?i)proxy"):
        open_transport("https://api.clever.com", 2)
