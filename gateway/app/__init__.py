"""The composition root: the only place that sees every layer."""

from gateway.app.build import check_files, create_app, open_client, open_engine, open_persisted, open_source
from gateway.app.callers import open_callers, open_token_source

__all__ = [
    "check_files",
    "create_app",
    "open_callers",
    "open_client",
    "open_engine",
    "open_persisted",
    "open_source",
    "open_token_source",
]
