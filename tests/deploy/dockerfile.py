"""A Dockerfile's instructions, read as far as ours need it."""

import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Stage:
    """One stage: what it begins from, and its instructions in their order, continued lines joined."""

    base: str
    name: str = ""
    steps: list[tuple[str, str]] = field(default_factory=list)

    def all(self, instruction: str) -> list[str]:
        """Return the arguments of every instruction of this name."""
        return [arguments for name, arguments in self.steps if name == instruction]

    def one(self, instruction: str) -> str:
        """Return the arguments of the only instruction of this name."""
        (arguments,) = self.all(instruction)
        return arguments

    def command(self, instruction: str) -> list[str]:
        """Return the words of an instruction that has them as JSON; options before them are left out."""
        words: list[str] = json.loads(self.one(instruction)[self.one(instruction).index("[") :])
        return words

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables that it sets."""
        pairs = [pair for line in self.all("ENV") for pair in shlex.split(line)]
        return dict(pair.split("=", 1) for pair in pairs)


def stages(path: Path) -> list[Stage]:
    """Return the stages of a Dockerfile."""
    text = re.sub(r"^\s*#.*\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found: list[Stage] = []
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        if not line.strip():
            continue
        name, arguments = line.split(None, 1)
        if name == "FROM":
            base, _, alias = arguments.partition(" AS ")
            found.append(Stage(base, alias))
        else:
            found[-1].steps.append((name, arguments))
    return found
