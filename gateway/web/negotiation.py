"""Which of the two GraphQL media types to answer in: https://graphql.github.io/graphql-over-http/draft/#sec-Accept."""

from functools import lru_cache

GRAPHQL_JSON = "application/graphql-response+json"
JSON = "application/json"

_OFFERED = (JSON, GRAPHQL_JSON)


@lru_cache(maxsize=256)
def media_type_of(accept: bytes) -> str | None:
    """Return what `choose_media_type` does for the bytes of a header; callers send the same few over and over."""
    return choose_media_type(accept.decode("latin-1"))


def choose_media_type(accept: str | None) -> str | None:
    """Return the media type to answer in, or None where the caller accepts neither.

    Without a header, and where both are equally welcome by a wildcard alone, it is `application/json`; a caller who
    names `application/graphql-response+json` gets it unless `application/json` is preferred by a higher weight.
    """
    if not accept or not accept.strip():
        return JSON
    best: tuple[float, int, int, str] | None = None
    for offered in _OFFERED:
        weight, precision = _weight(accept, offered)
        if weight > 0:
            # At equal weight the more exact match wins, and the newer type over the older one if both are named.
            rank = (weight, precision, int(offered == GRAPHQL_JSON and precision == 2), offered)
            if best is None or rank[:3] > best[:3]:
                best = rank
    return best[3] if best else None


def _weight(accept: str, offered: str) -> tuple[float, int]:
    """Return the weight of the most exact range that covers a type, and how exact it is: 2 by name, 0 by `*/*`."""
    found = (0.0, -1)
    for part in accept.lower().split(","):
        media_range, *parameters = (piece.strip() for piece in part.split(";"))
        precision = {offered: 2, "application/*": 1, "*/*": 0}.get(media_range, -1)
        if precision > found[1] and _is_utf8(parameters):
            found = (_quality(parameters), precision)
    return found


def _is_utf8(parameters: list[str]) -> bool:
    charsets = [value.strip('"') for name, _, value in (one.partition("=") for one in parameters) if name == "charset"]
    return all(charset in ("utf-8", "utf8") for charset in charsets)


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0
