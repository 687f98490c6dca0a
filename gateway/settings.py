"""Every setting: its type, default and a sentence. Read here and nowhere else; README's table is checked against it."""

import difflib
import os
import re
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "GATEWAY_"
# Read by the build of the package, not by the gateway.
_ELSEWHERE = frozenset({"GATEWAY_BUILD_GRAPHIQL"})

_ORIGIN = re.compile(r"https?://(?:\[[0-9a-fA-F:.]+\]|[^\s/?#@:\[\]]+)(?::(\d{1,5}))?")


class Settings(BaseSettings):
    """The gateway's settings, from environment variables `GATEWAY_<NAME>` or from keyword arguments."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, env_ignore_empty=True, extra="forbid")

    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on; `0.0.0.0` for every interface.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    clever_url: str = Field(
        "https://api.clever.com", description="Origin of Clever's API, without the version; or that of a sandbox."
    )
    clever_version: Literal["v3.0", "v3.1"] = Field("v3.1", description="Version of Clever's API to read.")
    deadline: float = Field(30.0, gt=0, allow_inf_nan=False, description="Seconds that one request may take in all.")
    max_calls: int = Field(1200, ge=1, description="Calls to Clever that one request may make, retries included.")
    max_rows: int = Field(
        1_000_000, ge=1, description="Rows that the lists of one answer may hold in all; nested lists multiply."
    )
    max_body_bytes: int = Field(1_000_000, ge=1, description="Largest request body in bytes.")
    upstream_timeout: float = Field(
        20.0, gt=0, allow_inf_nan=False, description="Seconds that one call to Clever may take."
    )
    upstream_concurrency: int = Field(32, ge=1, description="Calls to Clever under way at once.")
    calls_per_minute: int = Field(1200, ge=1, description="Calls to Clever per token in any minute.")
    upstream_max_bytes: int = Field(64 * 1024 * 1024, ge=1, description="Largest answer taken from Clever, in bytes.")
    cache: bool = Field(True, description="Whether what Clever said is kept from one request to the next.")
    cache_bytes: int = Field(
        512 * 1024 * 1024, ge=1, description="Memory that may be taken by what is kept, of all tokens together."
    )
    ttl_users: float = Field(300.0, ge=0, allow_inf_nan=False, description="Seconds that users are fresh.")
    ttl_sections: float = Field(300.0, ge=0, allow_inf_nan=False, description="Seconds that sections are fresh.")
    ttl_others: float = Field(
        3600.0, ge=0, allow_inf_nan=False, description="Seconds that everything else of the roster is fresh."
    )
    stale_if_error: float = Field(
        86_400.0,
        ge=0,
        allow_inf_nan=False,
        description="Age in seconds up to which something kept is used while Clever cannot be asked.",
    )
    token_recheck: float = Field(
        300.0,
        gt=0,
        allow_inf_nan=False,
        description="Seconds after which Clever is asked whether it still accepts a token that reads what is kept.",
    )
    explain: bool = Field(
        False,
        description="Whether a request with the header `X-Clever-Explain: plan` is told what it did upstream and why; "
        "on in the demo.",
    )
    public_introspection: bool = Field(
        False, description="Whether the schema may be read without a token; on in the demo."
    )
    graphiql: bool = Field(False, description="Whether GraphiQL is served at `/graphiql`; on in the demo.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least level of what is logged; `debug` adds a line for each call to Clever."
    )
    token: SecretStr | None = Field(
        None,
        description="Token that the commands `query`, `explain` and `doctor` send if they are given none; no server "
        "uses it.",
    )

    @field_validator("clever_url")
    @classmethod
    def _is_an_origin(cls, value: str) -> str:
        origin = value.strip().rstrip("/")
        shape = _ORIGIN.fullmatch(origin)
        if shape is None or not 0 < int(shape[1] or 443) <= 65535:
            raise ValueError("must be an origin such as https://api.clever.com, without a path and without the version")
        return origin

    @field_validator("token")
    @classmethod
    def _fits_a_header(cls, value: SecretStr | None) -> SecretStr | None:
        token = value.get_secret_value().strip() if value else ""
        if not (token.isascii() and token.isprintable()):
            raise ValueError("must be one line of ASCII characters, as every token is")
        return SecretStr(token) if token else None


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return f"{PREFIX}{name.upper()}"


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
