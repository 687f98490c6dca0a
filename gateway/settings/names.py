"""The names of settings in the environment, and what settings that are lists hold."""

PREFIX = "GATEWAY_"


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return f"{PREFIX}{name.upper()}"


class Misconfigured(Exception):
    """What a setting names cannot be used; the message names the setting and says what is wrong."""

    def __init__(self, name: str, problem: object) -> None:
        super().__init__(f"{variable(name)}: {problem}.")


def listed(value: str | None) -> list[str]:
    """Return the parts of a setting that are separated by commas."""
    return [part.strip() for part in (value or "").split(",") if part.strip()]
