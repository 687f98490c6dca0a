"""Every setting: its type, default and a sentence. Read here and nowhere else; README's table is checked against it."""

import re
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from gateway.settings.names import PREFIX, listed

# Hosts that are this machine: what goes there passes nobody.
LOOPBACK = ("127.0.0.1", "::1", "localhost")

_SHORTEST_PASSWORD = 12
_SHORTEST_SECRET = 32
_ORIGIN = re.compile(r"https?://(?:\[[0-9a-fA-F:.]+\]|[^\s/?#@:\[\]]+)(?::(\d{1,5}))?")
_REDIS = re.compile(r"(?:rediss?://[^\s/]+(?:/\d*)?(?:\?\S*)?|unix://(?:[^\s@/]*@)?/\S+)")
_KEY_CHARACTERS = 32


class Settings(BaseSettings):
    """The gateway's settings, from environment variables `GATEWAY_<NAME>` or from keyword arguments."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, env_ignore_empty=True, extra="forbid", hide_input_in_errors=True
    )

    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on; `0.0.0.0` for every interface.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    clever_url: str = Field(
        "https://api.clever.com", description="Origin of Clever's API, without the version; or that of a sandbox."
    )
    clever_version: Literal["v3.0", "v3.1"] = Field("v3.1", description="Version of Clever's API to read.")
    auth: Literal["passthrough", "viewer"] = Field(
        "passthrough",
        description="Who callers are: those whose Clever token they bring; or people and back ends that sign in or "
        "bring a JWT or an API key, while the gateway holds the tokens.",
    )
    clever_client_id: str | None = Field(None, description="The app's client id at Clever, to list its tokens.")
    clever_client_secret: SecretStr | None = Field(
        None, validate_default=True, description="The client secret that belongs to it."
    )
    clever_oauth_url: str | None = Field(
        None,
        description="Origin of Clever's OAuth pages; https://clever.com, or that of `GATEWAY_CLEVER_URL` where that is "
        "not Clever's, if not said.",
    )
    district_tokens: SecretStr | None = Field(
        None, description="Tokens that the gateway holds: `district id=token` pairs, separated by commas."
    )
    district_tokens_file: str | None = Field(
        None, description="Path of a JSON file with them, `{district id: token}`; read again when it is replaced."
    )
    token_refresh: float = Field(
        900.0, gt=0, allow_inf_nan=False, description="Seconds after which the tokens of districts are read anew."
    )
    jwt_jwks_url: str | None = Field(
        None, description="URL of the keys (JWKS) that callers' JWTs are signed with; https, or http on loopback."
    )
    jwt_issuer: str | None = Field(None, description="Issuer that JWTs must name (`iss`).")
    jwt_audience: str | None = Field(
        None, description="Audience that JWTs must name (`aud`); one of several, separated by commas."
    )
    jwt_user_claim: str = Field("sub", min_length=1, description="Claim of JWTs that holds Clever's id of the user.")
    jwt_district_claim: str = Field(
        "district", min_length=1, description="Claim of JWTs that holds Clever's id of the district."
    )
    api_keys_file: str | None = Field(
        None,
        description="Path of a JSON list of API keys as `clever-gateway apikey` makes them; read again when replaced.",
    )
    deadline: float = Field(30.0, gt=0, allow_inf_nan=False, description="Seconds that one request may take in all.")
    max_calls: int = Field(1200, ge=1, description="Calls to Clever that one request may make, retries included.")
    max_rows: int = Field(
        1_000_000, ge=1, description="Rows that the lists of one answer may hold in all; nested lists multiply."
    )
    max_body_bytes: int = Field(1_000_000, ge=1, description="Largest request body in bytes.")
    max_concurrent: int = Field(200, ge=1, description="Requests worked out at a time, in each process.")
    max_queued: int = Field(
        400, ge=0, description="Requests that wait for others to end; beyond, they get `503` and `Retry-After`."
    )
    queue_seconds: float = Field(
        5.0, gt=0, allow_inf_nan=False, description="Seconds that a request waits for others to end, at most."
    )
    client_rate: float = Field(
        0.0,
        ge=0,
        allow_inf_nan=False,
        description="Requests a second that one caller may send, in each process; 0 for no limit.",
    )
    client_burst: int = Field(50, ge=1, description="Requests that one caller may send at a stretch, over that rate.")
    drain_delay: float = Field(
        0.0,
        ge=0,
        allow_inf_nan=False,
        description="Seconds after SIGTERM in which requests are still taken, while `/readyz` says that no more should "
        "be sent.",
    )
    max_characters: int = Field(100_000, ge=1, description="Longest document in characters.")
    max_tokens: int = Field(10_000, ge=1, description="Tokens in a document.")
    max_operations: int = Field(50, ge=1, description="Operations in a document.")
    max_fragments: int = Field(200, ge=0, description="Fragments in a document.")
    max_directives: int = Field(200, ge=0, description="Directives in a document.")
    max_variables: int = Field(200, ge=0, description="Variables that the operations of a document declare.")
    max_values: int = Field(20_000, ge=0, description="Values in the variables, those inside lists and objects too.")
    max_depth: int = Field(20, ge=1, description="Levels of nested fields.")
    max_lists: int = Field(6, ge=0, description="Levels of lists within lists; a connection is one.")
    max_selections: int = Field(10_000, ge=1, description="Fields of an operation, its fragments spelled out.")
    max_root_fields: int = Field(100, ge=1, description="Root fields besides look-ups and connections.")
    max_lookups: int = Field(1000, ge=0, description="Root fields that look objects up by id.")
    max_connections: int = Field(100, ge=0, description="Connections in an operation, wherever they stand.")
    max_aliases: int = Field(
        100, ge=0, description="Times that fields of one object may be asked for over again, by an alias or plainly."
    )
    persisted_bytes: int = Field(
        8_000_000, ge=0, description="Memory for automatic persisted queries, in bytes; 0 turns them off."
    )
    trusted_documents: str | None = Field(
        None, description="Path of a manifest of trusted documents, as graphql-codegen, Relay or Apollo write it."
    )
    trusted_documents_mode: Literal["off", "log", "enforce"] = Field(
        "enforce", description="What happens to documents that are not in the manifest: run, run and logged, refused."
    )
    cors_origins: str | None = Field(
        None, description="Origins whose pages may read answers, separated by commas; none otherwise."
    )
    allowed_hosts: str | None = Field(
        None, description="Names in `Host` that are answered, separated by commas; any otherwise. The demo's: loopback."
    )
    classmates: bool = Field(False, description="Whether students see the names of those they study with.")
    upstream_timeout: float = Field(
        20.0,
        gt=0,
        allow_inf_nan=False,
        description="Seconds that one call to Clever may take; half of them may pass without anything coming.",
    )
    upstream_tries: int = Field(
        4, ge=1, description="Times that one call to Clever is made at most, where another try may help."
    )
    upstream_concurrency: int = Field(32, ge=1, description="Calls to Clever under way at once.")
    calls_per_minute: int = Field(1200, ge=1, description="Calls to Clever per token in any minute.")
    workers: int = Field(
        1,
        ge=1,
        description="Processes that `serve` runs; each has memory, connections and metrics of its own, and an equal "
        "share of the calls a minute unless there is a Redis.",
    )
    public_url: str | None = Field(
        None,
        description="Origin at which browsers reach the gateway: people sign in there, and Clever leads them back to "
        "`/oauth/callback` of it. By default host and port, on loopback alone.",
    )
    session_secret: SecretStr | None = Field(
        None,
        validate_default=True,
        description="Secret of at least 32 characters that sessions are encrypted with; of several, separated by "
        "commas, the first, and sessions under the others go on. By default a random one of each process.",
    )
    session_hours: float = Field(
        8.0, gt=0, allow_inf_nan=False, description="Hours after which people must sign in again."
    )
    upstream_max_bytes: int = Field(64 * 1024 * 1024, ge=1, description="Largest answer taken from Clever, in bytes.")
    upstream_failures: int = Field(
        20, ge=1, description="Calls to Clever that fail in a row before it is left alone for a while."
    )
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
    response_cache: bool = Field(
        True, description="Whether an answer is given again as it is while all data it was made from is fresh."
    )
    response_cache_bytes: int = Field(
        64 * 1024 * 1024, ge=1, description="Memory that may be taken by answers to be given again."
    )
    token_recheck: float = Field(
        300.0,
        gt=0,
        allow_inf_nan=False,
        description="Seconds after which Clever is asked whether it still accepts a token that reads what is kept.",
    )
    redis_url: SecretStr | None = Field(
        None,
        description="Redis 7 or Valkey through which all processes of a deployment share what they read, the calls a "
        "minute, documents and ended sessions, such as `rediss://:password@host:6379/0`; none by default.",
    )
    redis_key: SecretStr | None = Field(
        None,
        validate_default=True,
        description="Secret of the deployment, the same for all its processes and 32 characters at least: what Redis "
        "is told of tokens and ids are digests under it, and values are encrypted with it. Needed with a Redis.",
    )
    redis_encryption: bool = Field(
        True, description="Whether values in Redis are encrypted (AES-256-GCM); otherwise they are signed only."
    )
    redis_timeout: float = Field(
        0.25, gt=0, allow_inf_nan=False, description="Seconds that Redis may take for an answer."
    )
    explain: bool = Field(
        False,
        description="Whether a request with the header `X-Clever-Explain: plan` is told what it did upstream and why; "
        "on in the demo.",
    )
    public_introspection: bool = Field(
        False, description="Whether the schema may be read, and hints be given, without a token; on in the demo."
    )
    graphiql: bool = Field(False, description="Whether GraphiQL is served at `/graphiql`; on in the demo.")
    engine: Literal["compiled", "graphql-core"] = Field(
        "compiled",
        description="What runs queries: plans compiled for each, or graphql-core alone, which is many times slower. "
        "What plans do not know goes to graphql-core in any case.",
    )
    audit_log: str | None = Field(
        None, description="Path of a file, or `stdout`, that gets a line for each request: who read how much of what."
    )
    pseudonym_key: SecretStr | None = Field(
        None,
        description="Key under which people and tokens are named in the audit log; the same on all replicas. Without "
        "one, a key that `GATEWAY_SESSION_SECRET` gives; without that, names change with each start.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least level of what is logged; `debug` adds a line for each call to Clever."
    )
    log_format: Literal["auto", "json", "pretty"] = Field(
        "auto", description="How logs are written: a JSON object a line, for people, or as is fit for where they go."
    )
    tracing: Literal["off", "otlp", "console"] = Field(
        "off",
        description="Where OpenTelemetry's traces go: nowhere, to a collector as `OTEL_EXPORTER_OTLP_ENDPOINT` and its "
        "like say, or to stdout. Needs the extra `otel`.",
    )
    status_password: SecretStr | None = Field(
        None, description="Password of the page at `/status`, by HTTP Basic for any user; no page without one."
    )
    token: SecretStr | None = Field(
        None,
        description="Token that the commands `query`, `explain` and `doctor` send if they are given none; no server "
        "uses it. An API key or a JWT where the gateway holds Clever's tokens.",
    )

    @field_validator("clever_url", "clever_oauth_url", "public_url")
    @classmethod
    def _is_an_origin(cls, value: str | None) -> str | None:
        if value is None:
            return None
        origin = value.strip().rstrip("/")
        shape = _ORIGIN.fullmatch(origin)
        if shape is None or not 0 < int(shape[1] or 443) <= 65535:
            raise ValueError("must be an origin such as https://api.clever.com, without a path and without the version")
        return origin

    @field_validator("workers")
    @classmethod
    def _have_a_call_each(cls, value: int, others: ValidationInfo) -> int:
        if value > others.data.get("calls_per_minute", value):
            raise ValueError("must not be more than there are calls a minute")
        return value

    @field_validator("redis_url")
    @classmethod
    def _is_a_redis(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _is_redis(value.get_secret_value()):
            raise ValueError(
                "must be a URL such as rediss://:password@host:6379/0, redis://host:6379 or unix:///path; what is "
                "special in a password is percent-encoded"
            )
        return value

    @field_validator("redis_key")
    @classmethod
    def _is_a_secret(cls, value: SecretStr | None, others: ValidationInfo) -> SecretStr | None:
        if value is None and others.data.get("redis_url") is not None:
            raise ValueError("must be set where GATEWAY_REDIS_URL is; `openssl rand -base64 32` makes one up")
        if value is not None and len(value.get_secret_value()) < _KEY_CHARACTERS:
            raise ValueError(f"must be {_KEY_CHARACTERS} characters at least; `openssl rand -base64 32` makes one up")
        return value

    @field_validator("status_password")
    @classmethod
    def _is_long(cls, value: SecretStr | None) -> SecretStr | None:
        password = value.get_secret_value().strip() if value else ""
        if 0 < len(password) < _SHORTEST_PASSWORD:
            raise ValueError(f"must have at least {_SHORTEST_PASSWORD} characters")
        return SecretStr(password) if password else None

    @property
    def calls_per_worker(self) -> int:
        """Return the calls a minute and token of one worker: without Redis workers do not know of each other's."""
        return self.calls_per_minute // (self.workers if self.redis_url is None else 1)

    @field_validator("clever_client_secret")
    @classmethod
    def _goes_with_the_id(cls, value: SecretStr | None, others: ValidationInfo) -> SecretStr | None:
        if (value is None) != (others.data.get("clever_client_id") is None):
            raise ValueError("must be set together with GATEWAY_CLEVER_CLIENT_ID")
        return value

    @field_validator("session_secret")
    @classmethod
    def _is_long_and_shared(cls, value: SecretStr | None, others: ValidationInfo) -> SecretStr | None:
        if value is not None and any(len(one) < _SHORTEST_SECRET for one in listed(value.get_secret_value()) or [""]):
            raise ValueError(f"must have at least {_SHORTEST_SECRET} characters, and so must each of several")
        people = others.data.get("auth") == "viewer" and others.data.get("clever_client_id") is not None
        if value is None and people and others.data.get("workers", 1) > 1:
            raise ValueError("must be set where there are several workers: each must know the others' sessions")
        return value

    @property
    def origin(self) -> str | None:
        """Return the origin at which browsers reach the gateway, where that is known."""
        if self.public_url is not None or self.host not in LOOPBACK or not self.port:
            return self.public_url
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, value: str | None) -> str | None:
        for origin in listed(value):
            shape = _ORIGIN.fullmatch(origin)
            if shape is None or not 0 < int(shape[1] or 443) <= 65535:
                raise ValueError("must be origins such as https://app.example.org, separated by commas; `*` is not one")
        return value

    @field_validator("jwt_jwks_url")
    @classmethod
    def _is_safe_to_ask(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            url = urlsplit(value.strip())
            safe = url.scheme == "https" or (url.scheme == "http" and url.hostname in LOOPBACK)
            sound = bool(url.hostname) and url.username is None and not url.fragment and (url.port or 1) > 0
        except ValueError:
            safe = sound = False
        if not (safe and sound):
            raise ValueError(
                "must be a URL such as https://login.example.org/jwks.json; plain http is taken on this machine alone"
            )
        return value.strip()

    @model_validator(mode="after")
    def _can_answer_somebody(self) -> Self:
        """Refuse settings that contradict each other; the messages name them."""
        if self.jwt_jwks_url and not (self.jwt_issuer and listed(self.jwt_audience)):
            raise ValueError("GATEWAY_JWT_JWKS_URL needs GATEWAY_JWT_ISSUER and GATEWAY_JWT_AUDIENCE beside it")
        if self.district_tokens and self.district_tokens_file:
            raise ValueError("GATEWAY_DISTRICT_TOKENS and GATEWAY_DISTRICT_TOKENS_FILE say the same twice: set one")
        if self.auth == "passthrough":
            return self
        if not (self.district_tokens or self.district_tokens_file or self.clever_client_id):
            raise ValueError(
                "GATEWAY_AUTH=viewer needs tokens to read with: set GATEWAY_CLEVER_CLIENT_ID and "
                "GATEWAY_CLEVER_CLIENT_SECRET, or GATEWAY_DISTRICT_TOKENS_FILE, or GATEWAY_DISTRICT_TOKENS"
            )
        if not (self.jwt_jwks_url or self.api_keys_file or self.clever_client_id):
            raise ValueError(
                "GATEWAY_AUTH=viewer needs a way in: set GATEWAY_JWT_JWKS_URL, or GATEWAY_API_KEYS_FILE, or "
                "GATEWAY_CLEVER_CLIENT_ID and GATEWAY_CLEVER_CLIENT_SECRET to sign in with Clever"
            )
        return self

    @property
    def oauth_origin(self) -> str:
        """Return the origin of Clever's OAuth pages."""
        if self.clever_oauth_url:
            return self.clever_oauth_url
        return "https://clever.com" if self.clever_url == "https://api.clever.com" else self.clever_url

    @field_validator("token")
    @classmethod
    def _fits_a_header(cls, value: SecretStr | None) -> SecretStr | None:
        token = value.get_secret_value().strip() if value else ""
        if not (token.isascii() and token.isprintable()):
            raise ValueError("must be one line of ASCII characters, as every token is")
        return SecretStr(token) if token else None


def _is_redis(url: str) -> bool:
    try:
        # A password with `#`, `?` or `/` in it ends the host; what is left of it is no port.
        return _REDIS.fullmatch(url) is not None and urlsplit(url).port != 0
    except ValueError:
        return False
