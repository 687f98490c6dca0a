"""Cross-site requests: a page of somebody else's must not make a browser ask in its user's name.

A browser sends some requests of any page's without asking first. Those that carry a header no form can set are asked
about first (a CORS preflight), and so are answered only for origins that the settings name. The rules are those of
Apollo's `csrfPrevention`: https://www.apollographql.com/docs/graphos/routing/security/csrf
"""

from starlette.datastructures import Headers

from gateway.errors import RequestRefused

PREFLIGHT_HEADERS = ("apollo-require-preflight", "x-apollo-operation-name", "graphql-require-preflight")

# The types that a form can send, and that a script may send without asking first.
_SIMPLE = frozenset({"", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain"})


def check_cross_site(headers: Headers) -> None:
    """Raise RequestRefused where a page of any origin could have had a browser send this GET.

    A request with `Authorization` passes: no browser adds a bearer by itself. One that cookies speak for needs one of
    the headers whatever its content type is.
    """
    if "authorization" in headers or any(headers.get(name) for name in PREFLIGHT_HEADERS):
        return
    if "cookie" not in headers and not _is_simple(headers.get("content-type", "")):
        return
    raise RequestRefused(
        "CSRF_PREVENTED",
        "This request could have been sent by a page of any origin. Send `Authorization`, or a header "
        f"`{PREFLIGHT_HEADERS[-1]}` of any value.",
    )


def _is_simple(content_type: str) -> bool:
    media_type = content_type.partition(";")[0].strip().lower()
    # What is no media type is sent by browsers without asking, too.
    return media_type in _SIMPLE or media_type.count("/") != 1
