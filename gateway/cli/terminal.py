"""Speaking to a person at a terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from gateway.settings import unknown_variables

# Names and addresses come from elsewhere: nothing in them is markup.
out = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
err = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)


class Failure(Exception):
    """A command cannot go on; the message says what is wrong and what to do."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def say_error(message: str) -> None:
    """Print one sentence about what went wrong."""
    err.print(f"clever-gateway: {message}")


def warn_of_unknown_settings() -> None:
    """Tell of environment variables that look like settings and are none."""
    for name, meant in unknown_variables().items():
        hint = f"; did you mean {meant}?" if meant else ""
        say_error(f"{name} is not a setting and is ignored{hint}")


@contextmanager
def progress_bar() -> Iterator[Callable[[str, float], None]]:
    """Show a bar on stderr while something long starts; off the terminal, show nothing."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("", total=1.0)
        yield lambda sentence, fraction: progress.update(task, description=sentence, completed=fraction)
