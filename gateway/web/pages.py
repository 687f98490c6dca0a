"""Small pages for people: a sentence, what to do, and a link. No word on them came from the request."""

from base64 import b64encode
from hashlib import sha256
from html import escape

from starlette.responses import HTMLResponse

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.6 system-ui, sans-serif; }
body { margin: 15vh auto 0; max-width: 34rem; padding: 0 1.25rem; }
h1 { font-size: 1.4rem; font-weight: 600; }
a { color: light-dark(hsl(219 70% 42%), hsl(219 80% 74%)); }
"""
_STYLE_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; form-action 'none'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
}


def page(title: str, text: str, status: int, link: tuple[str, str] | None = None) -> HTMLResponse:
    """Answer with a page; `link` is an address and what it says."""
    onward = f'<p><a href="{escape(link[0])}">{escape(link[1])}</a></p>' if link else ""
    content = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{escape(title)}</h1><p>{escape(text)}</p>{onward}</main></body></html>"
    )
    return HTMLResponse(content, status, _HEADERS)
