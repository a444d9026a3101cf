"""The command ``partita``: the same pipeline from a shell."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from partita._cli import words
from partita._cli.parser import FAILED, make_parser

_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; 0 where all went well, 2 after an error, 130 after Ctrl-C."""
    parser = make_parser()
    arguments, unknown = parser.parse_known_args(argv)
    if unknown:
        parser.error(words.unknown_in_words(unknown, vars(arguments)))
    if arguments.command is None:
        parser.print_help()
        return 0
    if argv is None and arguments.headers_only:
        # xarray imports them for its first array, longer than all else here takes, and headers
        # need neither. The process is this command's own.
        for module in ("dask", "sparse"):
            sys.modules.setdefault(module, None)  # type: ignore[arg-type]
    with _brief_warnings():
        return _guarded(arguments.command, arguments)


def _guarded(command: Callable[[argparse.Namespace], None], arguments: argparse.Namespace) -> int:
    """Run a command; say in one line what went wrong, unless asked for the traceback."""
    try:
        command(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # who reads what is printed has enough: head, less
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        _complain("interrupted")
        return _INTERRUPTED
    except Exception as error:
        if arguments.debug:
            raise
        _complain(f"error: {str(error) or type(error).__name__}")
        return FAILED
    return 0


def _complain(text: str) -> None:
    print("partita:", words.in_a_shell(" ".join(text.split())), file=sys.stderr)


@contextmanager
def _brief_warnings() -> Iterator[None]:
    """Show what concerns the user in one line each, and not where in the code it was said."""
    shown: set[str] = set()

    def show(message: Warning | str, *_: object, **__: object) -> None:
        text = words.in_a_shell(f"warning: {message}")
        if text not in shown:
            shown.add(text)
            _complain(text)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show
        yield
