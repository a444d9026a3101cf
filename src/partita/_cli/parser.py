"""The words of the command line and what they mean."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from partita._cli import commands as does
from partita._cli import conversion, preparation, workplace

FAILED = 2


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line."""

    def error(self, message: str) -> NoReturn:
        """End with a line on stderr."""
        self.exit(FAILED, f"partita: error: {message} (see {self.prog} --help)\n")


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; `command` of what it parses is what to do."""
    from partita._version import __version__

    parser = _Parser(
        prog="partita",
        description="Take a brain recording apart into non-negative parts: maps and signals.",
    )
    parser.add_argument("--version", action="version", version=f"partita {__version__}")
    parser.set_defaults(command=None, headers_only=False)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_demo(commands)
    _add_run(commands)
    _add_register(commands)
    _add_convert(commands)
    info = _command(commands, "info", does.info, "say what a recording holds")
    info.set_defaults(headers_only=True)
    _add_recording(info)
    return parser


def _add_demo(commands: Any) -> None:
    demo = _command(commands, "demo", does.demo, "take a sample recording apart, and draw it")
    _add_quiet(demo)
    demo.add_argument(
        "--out",
        type=workplace.path,
        default=Path("partita-demo"),
        metavar="DIR",
        help="folder for the results (default: %(default)s)",
    )
    _add_force(demo)


_EXAMPLES = """examples:
  partita run recording.nii.gz -k 10
  partita run sub-1_run-*_bold.nii.gz --events sub-1_run-*_events.tsv \\
      --register --mask auto --detrend --zscore -k 20 --out results
  partita run movie.tif --frame-rate 30 --baseline minimum -k 50
"""


def _add_run(commands: Any) -> None:
    run = _command(commands, "run", does.run, "take recordings apart into maps and signals")
    run.formatter_class = argparse.RawDescriptionHelpFormatter
    run.epilog = _EXAMPLES
    _add_recording(run, several=True)
    preparation.add_options(run)
    _add_fit(run)
    _add_results(run)
    workplace.add_options(run)


def _add_fit(run: argparse.ArgumentParser) -> None:
    fit = run.add_argument_group("the fit")
    fit.add_argument("-k", type=int, default=10, metavar="N", help="parts (default: %(default)s)")
    fit.add_argument(
        "--mode",
        choices=("temporal", "spatial"),
        default="temporal",
        help="whether time points or voxels count as samples (default: %(default)s)",
    )
    fit.add_argument(
        "--loss",
        type=_loss,
        default="frobenius",
        help="frobenius, kullback-leibler, itakura-saito, or a beta from 0 to 2 "
        "(default: %(default)s)",
    )
    fit.add_argument("--tol", type=float, metavar="T", help="residual at which it has converged")
    fit.add_argument(
        "--max-iter",
        type=int,
        metavar="N",
        help="iterations at most; of several recordings, passes over all",
    )
    fit.add_argument("--seed", type=int, default=0, help="of the starts (default: %(default)s)")


def _add_results(run: argparse.ArgumentParser) -> None:
    group = run.add_argument_group("results")
    group.add_argument(
        "--events",
        nargs="+",
        action="extend",
        metavar="TSV",
        help="tables with onset and duration in s, and trial_type, one for each recording in their "
        "order: drawn under the courses, and compared with them",
    )
    group.add_argument(
        "--out",
        metavar="DIR",
        help="folder for the results, or a .nc or .zarr for the model alone (default: derivatives)",
    )
    _add_force(group)
    _add_quiet(group)


def _add_register(commands: Any) -> None:
    register = _command(
        commands, "register", does.register, "take the motion out of a recording, and write it"
    )
    _add_recording(register)
    register.add_argument("out", metavar="OUT", help=".nii.gz, .nii, .nc or .zarr")
    group = register.add_argument_group("motion")
    group.add_argument(
        "--transform",
        choices=("translation", "rigid", "piecewise"),
        default="rigid",
        help="what moves (default: %(default)s)",
    )
    group.add_argument(
        "--per",
        choices=("volume", "plane"),
        default="volume",
        help="what moves as one (default: %(default)s)",
    )
    group.add_argument("--max-shift", type=float, metavar="MM", help="the farthest it can move")
    _add_force(register)
    _add_quiet(register)


def _add_convert(commands: Any) -> None:
    convert = _command(
        commands, "convert", does.convert, "write a recording as a Zarr store that fits read fast"
    )
    _add_recording(convert)
    convert.add_argument(
        "out", type=workplace.path, metavar="OUT", help="the store, which ends in .zarr"
    )
    _add_quiet(convert)
    conversion.add_options(convert)


def _add_recording(command: argparse.ArgumentParser, *, several: bool = False) -> None:
    command.add_argument(
        "recording",
        metavar="RECORDING",
        nargs="+" if several else None,
        help="NIfTI, NetCDF, Zarr, TIFF, HDF5, NWB, AVI, MP4, TSV, CSV, .npy, .npz, .mat or .scan; "
        "a folder of TIFF files or a quoted pattern ('run_*.tif') is joined along time"
        + ("; several are runs or sessions, which share their maps" if several else ""),
    )
    parser = command.add_argument_group("reading")
    parser.add_argument(
        "--dataset", metavar="NAME", help="which array of a file that holds several"
    )
    parser.add_argument(
        "--allow-external",
        action="store_true",
        help="read values that a file takes from files outside its own folder",
    )
    parser.add_argument(
        "--dims",
        type=lambda text: text.split(","),
        metavar="NAMES",
        help="what the axes of a bare array are, in the order of the file: y,x,time",
    )
    parser.add_argument(
        "--frame-rate", type=float, metavar="HZ", help="where the file does not say it"
    )
    parser.add_argument(
        "--pixel-size",
        type=float,
        nargs="+",
        metavar="MM",
        help="one number, or two (y and x), where the file does not say it",
    )


def _add_quiet(parser: argparse._ActionsContainer) -> None:
    parser.add_argument("--quiet", action="store_true", help="no progress and no summary")


def _add_force(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--force",
        action="store_true",
        help="replace files that hold something else than such results; never what is read",
    )


def _command(
    commands: Any, name: str, command: Callable[[argparse.Namespace], None], summary: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=summary, description=f"{summary[0].upper()}{summary[1:]}."
    )
    parser.set_defaults(command=command)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def _loss(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text
