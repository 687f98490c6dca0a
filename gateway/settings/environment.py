"""The environment as a whole: variables that look like settings and are none."""

import difflib
import os

from gateway.settings.model import Settings
from gateway.settings.names import PREFIX, variable

# Read by the build of the package, not by the gateway.
_ELSEWHERE = frozenset({"GATEWAY_BUILD_GRAPHIQL"})


def unknown_variables() -> dict[str, str | None]:
    """Return environment variables that look like settings and are none, each with the likeliest one meant."""
    # Names are read without regard to case.
    known = {name.upper() for name in Settings.model_fields}
    found = {name: name.upper().removeprefix(PREFIX) for name in sorted(os.environ) if name.upper().startswith(PREFIX)}
    unknown: dict[str, str | None] = {}
    for name, short in found.items():
        if short not in known and name not in _ELSEWHERE:
            meant = difflib.get_close_matches(short, known, n=1)
            unknown[name] = variable(meant[0]) if meant else None
    return unknown
