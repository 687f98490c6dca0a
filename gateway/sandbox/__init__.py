"""A Clever in a box: the Data API of generated school districts, quirks and limits and all.

It imports nothing from the rest of the package, so that it shares no mistake with what it tests. Run it with any
ASGI server: `uvicorn.run(create_app("sandbox"))`; ask it with `Authorization: Bearer TEST_TOKEN`.
"""

from .app import SandboxApp, create_app
from .faults import FaultError, Rule, read_option
from .misbehaviour import KINDS
from .oauth import CLIENT_ID, CLIENT_SECRET
from .presets import PRESETS
from .world import DistrictInfo

__all__ = [
    "CLIENT_ID",
    "CLIENT_SECRET",
    "KINDS",
    "PRESETS",
    "DistrictInfo",
    "FaultError",
    "Rule",
    "SandboxApp",
    "create_app",
    "read_option",
]
