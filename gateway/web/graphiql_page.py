"""The GraphiQL page: its html, its files and the headers they are served with.

The bundle beside this module is made when the package is built with Node. Without it the page loads pinned
versions of the same packages from a CDN, says so, and behaves alike. This module knows neither the schema nor
what makes a token valid: the browser sends operations to `endpoint` like any other client.
"""

import hashlib
import html
import json
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import BaseRoute, Route

_SOURCES = Path(__file__).with_name("graphiql")
_BUNDLE = _SOURCES / "out"

_MEDIA_TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
}
# The bundler puts a hash of the content into each name.
_FOREVER = "public, max-age=31536000, immutable"
_ASK_FIRST = "no-cache"

_NOTICE = "GraphiQL is loaded from a CDN because this installation was built without Node."
_CDN = "https://esm.sh"
# The versions of package-lock.json. "external" keeps each of them to one copy: two copies of Monaco, React or
# graphql-js do not work together.
_CDN_PACKAGES = {
    "react": f"{_CDN}/react@19.3.1",
    "react/": f"{_CDN}/react@19.3.1/",
    "react-dom": f"{_CDN}/react-dom@19.3.1",
    "react-dom/": f"{_CDN}/react-dom@19.3.1/",
    "graphql": f"{_CDN}/graphql@16.15.0",
    "graphiql": f"{_CDN}/graphiql@5.4.0?standalone&external=react,react-dom,@graphiql/react,graphql",
    "@graphiql/plugin-explorer": (
        f"{_CDN}/@graphiql/plugin-explorer@5.1.5?standalone&external=react,@graphiql/react,graphql"
    ),
    "@graphiql/react": (
        f"{_CDN}/@graphiql/react@0.39.1?standalone"
        "&external=react,react-dom,graphql,@graphiql/toolkit,@emotion/is-prop-valid"
    ),
    "@graphiql/toolkit": f"{_CDN}/@graphiql/toolkit@0.12.1?standalone&external=graphql",
    "monaco-editor/esm/vs/editor/editor.worker.js?worker": (
        f"{_CDN}/monaco-editor@0.52.2/esm/vs/editor/editor.worker.js?worker"
    ),
    "monaco-editor/esm/vs/language/json/json.worker.js?worker": (
        f"{_CDN}/monaco-editor@0.52.2/esm/vs/language/json/json.worker.js?worker"
    ),
    "monaco-graphql/esm/graphql.worker.js?worker": (
        f"{_CDN}/monaco-graphql@1.9.0/esm/graphql.worker.js?worker&deps=monaco-editor@0.52.2,graphql@16.15.0"
    ),
}
_CDN_STYLES = (
    f"{_CDN}/graphiql@5.4.0/dist/style.css",
    f"{_CDN}/@graphiql/plugin-explorer@5.1.5/dist/style.css",
)
_CDN_OWN_FILES = (
    "cdn.js",
    "empty.js",
    "explorer.js",
    "fetcher.js",
    "ide.js",
    "page.css",
    "person-bar.js",
    "plans.js",
    "token-bar.js",
    "waterfall.js",
    "workers.js",
)


def bundle_available() -> bool:
    """Tell whether this installation carries its own copy of GraphiQL."""
    return (_BUNDLE / "index.html").is_file()


def graphiql_routes(
    *,
    endpoint: str = "/graphql",
    demo_token: str | None = None,
    explain: bool = False,
    sign_in: bool = False,
    path: str = "/graphiql",
    on_page: Callable[[Request, Response], None] = lambda _request, _page: None,
) -> list[BaseRoute]:
    """Make the routes of the GraphiQL page and its files.

    Args:
        endpoint: where the page sends operations: a path of this same application.
        demo_token: the token the page starts with. Every visitor can read it.
        explain: whether the endpoint tells its plans; only then does the page ask for them.
        sign_in: whether people sign in, rather than paste a token.
        path: where the page lives.
        on_page: hears of each page before it is sent, and may add to its headers.
    """
    bundled = bundle_available()
    template = ((_BUNDLE if bundled else _SOURCES) / "index.html").read_text(encoding="utf-8")
    assets = _bundle_assets() if bundled else _cdn_assets()

    async def page(request: Request) -> Response:
        root = request.scope.get("root_path", "")
        nonce = None if bundled else secrets.token_urlsafe(16)
        content = template
        if nonce is not None:
            content = _from_cdn(content, assets_at=f"{root}{path}/assets", nonce=nonce)
        content = content.replace('="./', f'="{html.escape(f"{root}{path}")}/')
        content = _with_meta(content, "graphql-endpoint", f"{root}{endpoint}")
        content = _with_meta(content, "demo-token", demo_token or "")
        content = _with_meta(content, "explain", "on" if explain else "")
        back = urlencode({"next": f"{root}{path}"})
        content = _with_meta(content, "sign-in", f"{root}/login?{back}" if sign_in else "")
        content = _with_meta(content, "sign-out", f"{root}/logout?{back}" if sign_in else "")
        answer = HTMLResponse(content, headers=_page_headers(nonce, forms=sign_in))
        on_page(request, answer)
        return answer

    async def asset(request: Request) -> Response:
        found = assets.get(request.path_params["name"])
        if found is None:
            raise HTTPException(404)
        return found.response(request)

    return [
        Route(path, page, name="graphiql"),
        Route(f"{path}/", page, include_in_schema=False),
        Route(f"{path}/assets/{{name}}", asset, name="graphiql-asset", include_in_schema=False),
    ]


def _with_meta(page: str, name: str, value: str) -> str:
    """Give the page's one `<meta name=...>` its content."""
    before, found, after = page.partition(f'<meta name="{name}" content="')
    if not found:
        raise ValueError(f"the page has no <meta> named {name}")
    return before + found + html.escape(value) + after[after.index('"') :]


def _page_headers(nonce: str | None, *, forms: bool) -> dict[str, str]:
    cdn = "" if nonce is None else f" {_CDN}"
    policy = {
        "default-src": "'none'",
        "script-src": "'self'" if nonce is None else f"'self' 'nonce-{nonce}' {_CDN}",
        # Monaco writes its styles into the page.
        "style-src": f"'self' 'unsafe-inline'{cdn}",
        "font-src": f"'self' data:{cdn}",
        "img-src": f"'self' data:{cdn}",
        # A worker starts on the page's own origin only, hence from a blob: that imports the CDN's code.
        "worker-src": "'self'" if nonce is None else f"blob: {_CDN}",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'self'" if forms else "'none'",
        "frame-ancestors": "'none'",
    }
    return {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "; ".join(f"{name} {sources}" for name, sources in policy.items()),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }


@dataclass(frozen=True, slots=True)
class _Asset:
    """A file as it is served: which one, under which headers, and its gzipped sibling if it has one."""

    file: Path
    gzipped: Path | None
    media_type: str
    etag: str
    cache_control: str

    @classmethod
    def read(cls, file: Path, cache_control: str) -> "_Asset":
        gzipped = file.with_name(f"{file.name}.gz")
        return cls(
            file=file,
            gzipped=gzipped if gzipped.is_file() else None,
            media_type=_MEDIA_TYPES.get(file.suffix, "application/octet-stream"),
            etag=hashlib.sha256(file.read_bytes()).hexdigest()[:20],
            cache_control=cache_control,
        )

    def response(self, request: Request) -> Response:
        packed = self.gzipped is not None and _accepts_gzip(request.headers.getlist("accept-encoding"))
        etag = f'"{self.etag}-gzip"' if packed else f'"{self.etag}"'
        headers = {
            "Cache-Control": self.cache_control,
            "ETag": etag,
            "X-Content-Type-Options": "nosniff",
        }
        if self.gzipped is not None:
            headers["Vary"] = "Accept-Encoding"
        if _matches(request.headers.getlist("if-none-match"), etag):
            return Response(status_code=304, headers=headers)
        if self.gzipped is not None and packed:
            headers["Content-Encoding"] = "gzip"
            return FileResponse(self.gzipped, headers=headers, media_type=self.media_type)
        return FileResponse(self.file, headers=headers, media_type=self.media_type)


def _accepts_gzip(accept_encoding: Iterable[str]) -> bool:
    for coding in ",".join(accept_encoding).split(","):
        name, _, weight = coding.replace(" ", "").lower().partition(";")
        if name == "gzip":
            return re.fullmatch(r"q=0(\.0*)?", weight) is None
    return False


def _matches(if_none_match: Iterable[str], etag: str) -> bool:
    known = [tag.strip().removeprefix("W/") for tag in ",".join(if_none_match).split(",")]
    return etag in known or "*" in known


def _bundle_assets() -> Mapping[str, _Asset]:
    files = (file for file in (_BUNDLE / "assets").iterdir() if file.suffix != ".gz")
    return {file.name: _Asset.read(file, _FOREVER) for file in files}


def _cdn_assets() -> Mapping[str, _Asset]:
    return {name: _Asset.read(_SOURCES / "src" / name, _ASK_FIRST) for name in _CDN_OWN_FILES}


def _from_cdn(page: str, *, assets_at: str, nonce: str) -> str:
    """Turn the bundler's source page into one that works unbundled."""
    packages = {**_CDN_PACKAGES, "@emotion/is-prop-valid": f"{assets_at}/empty.js"}
    head = [
        *(f'<link rel="stylesheet" href="{address}">' for address in _CDN_STYLES),
        '<link rel="stylesheet" href="./assets/page.css">',
        f'<script type="importmap" nonce="{nonce}">{_script_json({"imports": packages})}</script>',
        f'<script type="application/json" id="examples">{_script_json(_examples())}</script>',
        '<script type="module" src="./assets/cdn.js"></script>',
    ]
    page = _replaced(page, '<link rel="stylesheet" href="./src/page.css">', "")
    page = _replaced(page, '<script type="module" src="./src/main.js"></script>', "\n    ".join(head))
    return _replaced(page, "</header>", f'</header>\n    <p class="notice">{_NOTICE}</p>')


def _replaced(page: str, old: str, new: str) -> str:
    if page.count(old) != 1:
        raise ValueError(f"the page has no single {old}")
    return page.replace(old, new)


def _script_json(value: Any) -> str:
    """Write JSON that cannot end the script element it stands in."""
    return json.dumps(value).replace("<", "\\u003c")


def _examples() -> list[dict[str, str]]:
    """Read the operations a first visitor finds, each with its variables if a .json file beside it has them."""
    examples = []
    for operation in sorted((_SOURCES / "src" / "examples").glob("*.graphql")):
        example = {"query": operation.read_text(encoding="utf-8")}
        variables = operation.with_suffix(".json")
        if variables.is_file():
            example["variables"] = variables.read_text(encoding="utf-8")
        examples.append(example)
    return examples
