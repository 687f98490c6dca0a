"""The command `clever-gateway`. Commands say in a sentence what went wrong and what to do; exit 1 for a failure, 2 for
a wrong call."""

import sys


def main() -> None:
    """Run the command line."""
    try:
        # Importing them takes a moment, and Ctrl-C may come in it.
        from gateway.cli.commands import run

        run()
    except KeyboardInterrupt:
        sys.exit(130)
