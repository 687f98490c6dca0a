"""`doctor`: says in plain words whether the network, the version and the token work, and what the token shows; and
whether Redis can be used, where there is one."""

import asyncio
from contextlib import AsyncExitStack
from typing import Annotated, Any

import typer

from gateway.app import open_client, open_token_source
from gateway.clever import catalogue
from gateway.clever.allowance import Allowance
from gateway.clever.calls import CountCall, first_page
from gateway.clever.catalogue import EVERYTHING, Resource
from gateway.clever.client import CleverClient
from gateway.clever.outside import Fetch, Unread
from gateway.cli.findings import Finding
from gateway.cli.query import Token
from gateway.cli.redis_findings import examine_redis
from gateway.cli.serve import CleverUrl, CleverVersion, check_proxy, given
from gateway.cli.terminal import Failure, out, warn_of_unknown_settings
from gateway.errors import GatewayError, Unauthenticated
from gateway.identity import Tenant
from gateway.settings import Settings
from gateway.web.jwks import read_keys

# Districts of which each token is tried.
_MOST_DISTRICTS = 20
_COLLECTIONS = (catalogue.SCHOOLS, catalogue.SECTIONS, catalogue.USERS, catalogue.COURSES, catalogue.TERMS)


def doctor(
    token: Token = None,
    clever_url: CleverUrl = None,
    clever_version: CleverVersion = None,
    seconds: Annotated[float, typer.Option(min=1, help="How long to try.")] = 20.0,
) -> None:
    """Check the way to Clever: network, version, token, and what the token shows; and Redis, where there is one.

    Exit 1 where something is amiss.
    """
    warn_of_unknown_settings()
    settings = Settings(**given(token=token, clever_url=clever_url, clever_version=clever_version))
    check_proxy(settings)
    findings = asyncio.run(_examine(settings, seconds))
    for finding in findings:
        out.print(f"{finding.word:<7} {finding.sentence}")
    if not all(finding.fine for finding in findings):
        raise Failure("something is amiss; see above.")


async def _examine(settings: Settings, seconds: float) -> list[Finding]:
    return await _examine_clever(settings, seconds) + await examine_redis(settings, seconds)


async def _examine_clever(settings: Settings, seconds: float) -> list[Finding]:
    if settings.auth == "viewer":
        return await _examine_held(settings, seconds)
    if settings.token is None:
        return [Finding(False, "No token to check with. Give one with --token or in GATEWAY_TOKEN.")]
    return await _examine_token(settings, Tenant(settings.token.get_secret_value()), seconds)


async def _examine_held(settings: Settings, seconds: float) -> list[Finding]:
    """Check the tokens that the gateway holds: whether they can be read, and what each shows."""
    source, opens = open_token_source(settings)
    async with AsyncExitStack() as opened:
        for one in opens:
            await opened.enter_async_context(one)
        try:
            tokens = await source.read()
        except Unread as error:
            return [Finding(False, f"The tokens of districts cannot be read: {error}.")]
    if not tokens:
        return [Finding(False, "There is no token of any district. A district must connect the app in Clever first.")]
    findings = [Finding(True, f"There are tokens of {len(tokens)} districts.")]
    for district in sorted(tokens)[:_MOST_DISTRICTS]:
        findings += await _examine_token(settings, Tenant(tokens[district], district), seconds)
    if len(tokens) > _MOST_DISTRICTS:
        findings.append(Finding(True, f"{len(tokens) - _MOST_DISTRICTS} more districts were not asked for."))
    return findings + ([await _examine_keys(settings.jwt_jwks_url)] if settings.jwt_jwks_url else [])


async def _examine_keys(url: str) -> Finding:
    """Check whether the keys of JWTs can be read."""
    try:
        async with Fetch(url) as fetch:
            keys = read_keys(await fetch.read(url))
    except Unread as error:
        return Finding(False, f"The keys of JWTs cannot be read from GATEWAY_JWT_JWKS_URL: {error}.")
    if not keys:
        return Finding(False, "GATEWAY_JWT_JWKS_URL has no key that can be used: RSA of 2048 bits or more, or EC.")
    return Finding(True, f"GATEWAY_JWT_JWKS_URL has {len(keys)} keys that can be used.")


async def _examine_token(settings: Settings, tenant: Tenant, seconds: float) -> list[Finding]:
    where = f"{settings.clever_url}/{settings.clever_version}"
    async with open_client(settings) as client:
        allowance = Allowance(seconds, calls=20)
        call = first_page(catalogue.DISTRICT_LIST, None, EVERYTHING, 1)
        try:
            page = await client.page(tenant, call, allowance)
        except Unauthenticated as error:
            return [Finding(True, f"{where} answers."), Finding(False, str(error))]
        except GatewayError as error:
            return [Finding(False, str(error))]
        if page is None:
            return [
                Finding(
                    False,
                    f"{where} answers, but serves no districts. Either the address or the version is wrong, or the "
                    "token is not a district-app token.",
                )
            ]
        findings = [Finding(True, f"{where} answers."), Finding(True, "The token is accepted.")]
        findings += [Finding(True, _about(district)) for district in page.records]
        counts = [await _count(client, tenant, rows, allowance) for rows in _COLLECTIONS]
        if counts == [_no_access(rows) for rows in _COLLECTIONS]:
            person = "Perhaps it is a person's token, as Log in with Clever gives; give one of a district's app."
            counts.append(Finding(False, person))
        return findings + counts


def _about(district: Any) -> str:
    state = f", sync state {district.state}" if district.state else ""
    return f"The token shows the district {district.name or '(without a name)'}, {district.id}{state}."


async def _count(client: CleverClient, tenant: Tenant, rows: Resource, allowance: Allowance) -> Finding:
    try:
        count = await client.count(tenant, CountCall(rows), allowance)
    except GatewayError as error:
        return Finding(False, f"{rows.name}: {error}")
    if count is None:
        return _no_access(rows)
    return Finding(True, f"{rows.name}: {count} shared.")


def _no_access(rows: Resource) -> Finding:
    return Finding(False, f"{rows.name}: no access. The app needs Secure Sync, and the district must share them.")
