"""What `doctor` says of Redis: whether it is reached, can be used, and is set as suits a cache."""

from gateway.cli.findings import Finding
from gateway.settings import Settings

# Those that keep what is used. `volatile-ttl` would give up the calls of the minute first, which end soonest.
_GOOD_POLICIES = frozenset(("allkeys-lru", "allkeys-lfu", "volatile-lru", "volatile-lfu"))
_SCALE = ("bytes", "kB", "MB", "GB", "TB")


async def examine_redis(settings: Settings, seconds: float) -> list[Finding]:
    """Check the Redis of the settings, if there is one; the user and the password of its URL are not told."""
    if settings.redis_url is None:
        return []
    # Loading redis-py takes a while, and few need it.
    from gateway.cache.redis.examine import Examined, NotReachedError, address, examine

    url = settings.redis_url.get_secret_value()
    try:
        where = address(url)
    except NotReachedError as error:
        return [Finding(False, f"GATEWAY_REDIS_URL is of no use: {error}.")]
    try:
        found: Examined = await examine(url, seconds)
    except NotReachedError as error:
        return [Finding(False, f"Redis is not reached at {where}: {error}.")]
    name = f"{found.product} {found.version}".strip()
    findings = [Finding(True, f"{name} answers at {where}.")]
    if found.old:
        findings.append(Finding(False, f"{name} is too old. The gateway works with Redis 7 and newer, and Valkey."))
    elif found.refused:
        findings.append(Finding(False, f"{name} cannot be used: {found.refused}."))
    if found.seconds > settings.redis_timeout:
        took = f"It takes {found.seconds:.2g} s to answer, and GATEWAY_REDIS_TIMEOUT allows {settings.redis_timeout:g}"
        findings.append(Finding(False, f"{took}: the gateway would go on without it."))
    return [*findings, _memory(found.memory, found.policy)]


def _memory(most: int | None, policy: str | None) -> Finding:
    advised = "set maxmemory, and maxmemory-policy to allkeys-lru"
    if most is None or policy is None:
        said = f"It does not tell how much memory it may take. Where it can be set, {advised}."
        return Finding(True, said, advice=True)
    if not most:
        return Finding(True, f"It may take all memory that there is; {advised}.", advice=True)
    room = f"It may take {_size(most)}"
    if policy == "noeviction":
        said = f"{room} and gives nothing up (noeviction): once it is full nothing more is shared; {advised}."
        return Finding(True, said, advice=True)
    if policy not in _GOOD_POLICIES:
        said = f"{room} and does not give up first what is used least ({policy}); set maxmemory-policy to allkeys-lru."
        return Finding(True, said, advice=True)
    return Finding(True, f"{room}, and gives up what is used least ({policy}).")


def _size(count: float) -> str:
    for unit in _SCALE:
        if count < 1000 or unit == _SCALE[-1]:
            break
        count /= 1000
    return f"{count:.3g} {unit}"
