"""Examine: whether a Redis can be reached and used, for whoever sets a deployment up. No message holds a secret."""

import asyncio
import os
import secrets
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AskError,
    AuthenticationError,
    BusyLoadingError,
    ClusterCrossSlotError,
    ClusterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.exceptions import TimeoutError as RedisTimeoutError

_PINGS = 5
_TRIAL_MS = 1_000
# In a cluster one node has not all of them.
_TRIALS = 8
# What scripts of ours do that not every server or user may; the rest is older, or allowed with it.
_TRIAL = """
local at = redis.call('TIME')
redis.call('HSET', KEYS[1], 'at', at[1])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[1] / 2, 'LT')
redis.call('PUBLISH', ARGV[2], '')
redis.call('UNLINK', KEYS[1])
return 1
"""
_NO_PERMISSION = "its user may not do all that the gateway does: scripts, keys and channels that begin with `cgg:`"
_SILENT = "nothing answers in time; a port that takes TLS wants `rediss://`, one that does not `redis://`"
# `MOVED` is a kind of the first.
_CLUSTER = (AskError, ClusterDownError, ClusterCrossSlotError)


class NotReachedError(Exception):
    """Nothing that speaks as Redis does lets us in; the message says why, as the second half of a sentence."""


@dataclass(frozen=True, slots=True)
class Examined:
    """A Redis that answers: what it is, its quickest answer, the memory it may take (0: any), and who makes room.

    `version` is empty where it does not say; `refused` is why it cannot be used, empty where it can.
    """

    product: str
    version: str
    seconds: float
    memory: int | None
    policy: str | None
    refused: str

    @property
    def old(self) -> bool:
        """Say whether it is older than what the gateway works with. Valkey began after Redis 7."""
        major = self.version.partition(".")[0]
        return self.product == "Redis" and major.isdecimal() and int(major) < 7


def address(url: str) -> str:
    """Return where a URL leads, without user, password and options. Raises NotReachedError."""
    kept = _client(url, 1.0).connection_pool.connection_kwargs
    if "path" in kept:
        return str(kept["path"])
    host = str(kept.get("host", "localhost"))
    return f"{f'[{host}]' if ':' in host else host}:{kept.get('port', 6379)}"


async def examine(url: str, timeout_s: float) -> Examined:
    """Try a Redis out as the gateway uses it. Raises NotReachedError."""
    redis = _client(url, timeout_s)
    try:
        async with asyncio.timeout(timeout_s):
            return await _examine(redis)
    except TimeoutError:
        raise NotReachedError(_SILENT) from None
    finally:
        await redis.aclose()


def _client(url: str, timeout_s: float) -> Any:
    try:
        return Redis.from_url(
            url,
            single_connection_client=True,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
    except (ValueError, TypeError):
        # Its words repeat what they are about.
        raise NotReachedError("the URL cannot be read; what is special in a password must be percent-encoded") from None


async def _examine(redis: Any) -> Examined:
    try:
        await redis.ping()
    except NoPermissionError:
        pass
    except (RedisError, OSError, TypeError, ValueError) as error:
        raise NotReachedError(_why(error)) from None
    quickest = min([await _took(redis) for _ in range(_PINGS)])
    server, memory = await _info(redis, "server"), await _info(redis, "memory")
    product = "Valkey" if "valkey_version" in server else "Redis"
    version = str(server.get("valkey_version") or server.get("redis_version") or "")
    most = memory.get("maxmemory")
    refused = await _refused(redis)
    return Examined(product, version, quickest, most, memory.get("maxmemory_policy"), refused)


async def _took(redis: Any) -> float:
    started = time.perf_counter()
    # A refusal is an answer, too.
    with suppress(RedisError):
        await redis.ping()
    return time.perf_counter() - started


async def _info(redis: Any, section: str) -> dict[str, Any]:
    """Return what a Redis says of itself; nothing where it does not."""
    try:
        found: dict[str, Any] = await redis.info(section)
    except RedisError:
        return {}
    return found


async def _refused(redis: Any) -> str:
    """Return why what the gateway does cannot be done there; empty where it can."""
    channel = "cgg:{doctor}:news"
    pubsub = redis.pubsub()
    try:
        for _ in range(_TRIALS):
            key = f"cgg:{{{secrets.token_hex(6)}}}:trial"
            await redis.execute_command("EVAL", _TRIAL, 1, key, _TRIAL_MS, channel)
        await pubsub.subscribe(channel)
        await pubsub.get_message(timeout=None)
    except NoPermissionError:
        return _NO_PERMISSION
    except ReadOnlyError:
        return "it is a replica, which takes no writes; name its primary"
    except OutOfMemoryError:
        return "it is full and gives nothing up"
    except _CLUSTER:
        return "it is a node of a cluster, and the gateway asks a single server; name one, or a proxy"
    except ResponseError as error:
        # Redis 7.0 has no code for it.
        if "user executing the script" in str(error):
            return _NO_PERMISSION
        return "it does not know all that the gateway asks; Redis 7 or Valkey does"
    except RedisError as error:
        return _why(error)
    finally:
        await pubsub.aclose()
    return ""


def _why(error: Exception) -> str:
    """Say in words of ours what went wrong: those of the error may repeat what the URL holds."""
    cause = error.__cause__ or error.__context__
    if isinstance(error, AuthenticationError):
        return "it does not accept the user or the password of the URL, or wants one"
    if isinstance(error, BusyLoadingError):
        return "it is still loading its data"
    if isinstance(error, RedisTimeoutError):
        return _SILENT
    if isinstance(cause, ssl.SSLError):
        return "TLS does not come about; check the certificate, and that the port takes TLS"
    if isinstance(error, TypeError | ValueError) or type(error) is RedisError:
        return "the URL has an option that is not known"
    if isinstance(cause, OSError) and cause.strerror:
        return f"the connection fails ({_plain(cause)})"
    if isinstance(error, ResponseError):
        return "it refuses what a connection begins with, such as the number of the database"
    return "the connection is ended; a port that takes TLS wants `rediss://`"


def _plain(error: OSError) -> str:
    """Return an error's words; those of asyncio repeat the address."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror)
