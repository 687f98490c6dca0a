"""`apikey`: a new API key for a back end, and the entry that lets it in."""

from typing import Annotated

import msgspec
import typer

from gateway.clever.outside import Unread
from gateway.cli.terminal import Failure, out
from gateway.web.api_keys import ApiKey, hashed, new_key, permissions, read_entries


def apikey(
    name: Annotated[str, typer.Argument(help="What the key is called in the audit log, such as the back end's name.")],
    district: Annotated[str, typer.Option(help="Clever's id of the district that the key reads.")],
    permission: Annotated[
        list[str] | None, typer.Option(help=f"What the key may do beyond reading: {permissions()}. Give it for each.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option(help="The key's last day, such as 2027-06-30, or a moment; none: it stays good.")
    ] = None,
) -> None:
    """Make an API key and print it, once, with its entry for GATEWAY_API_KEYS_FILE, which holds its hash alone."""
    key = new_key()
    entry = ApiKey(name, hashed(key), district, permission or [], expires)
    try:
        read_entries(msgspec.json.encode([entry]))
    except Unread as error:
        problem = str(error).replace("of entry 1", "").replace("entry 1", "the key")
        raise Failure(f"{' '.join(problem.split())}.", 2) from None
    out.print("The key, which is shown this once and kept nowhere:")
    out.print(f"  {key}")
    out.print("Its entry, for the list in the file that GATEWAY_API_KEYS_FILE names:")
    out.print(f"  {msgspec.json.encode(entry).decode()}")
