"""The command ``partita``: the same pipeline from a shell."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from textwrap import shorten
from time import perf_counter
from typing import TYPE_CHECKING, Any, NoReturn

from partita import _conversion, _workplace

# Whatever is heavy is imported inside the commands, so that --version and --help answer at once.
if TYPE_CHECKING:
    import xarray as xr

    from partita.decomposition import NMF
    from partita.io import SeveralArrays

_FAILED, _INTERRUPTED = 2, 130
_ANYWHERE = _workplace.Workplace()

_CONTENTS = {
    "_components.nii.gz": "maps",
    "_components.tsv": "maps",
    "_mixing.tsv": "signals",
    "_decomposition.json": "parameters and shares of the energy",
    "_components.png": "maps beside signals",
    "_map.png": "the strongest map",
    ".nc": "the whole model: partita.load_model opens it",
    ".zarr": "the whole model: partita.load_model opens it",
}
_WHOLE = (".nc", ".zarr")
_WIDTH = 78  # characters of an attribute shown by info


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line."""

    def error(self, message: str) -> NoReturn:
        """End with a line on stderr."""
        self.exit(_FAILED, f"partita: error: {message} (see {self.prog} --help)\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; 0 where all went well, 2 after an error, 130 after Ctrl-C."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.command is None:
        parser.print_help()
        return 0
    with _brief_warnings():
        return _guarded(arguments.command, arguments)


def _guarded(command: Callable[[argparse.Namespace], None], arguments: argparse.Namespace) -> int:
    """Run a command; say in one line what went wrong, unless asked for the traceback."""
    try:
        command(arguments)
    except KeyboardInterrupt:
        _complain("interrupted")
        return _INTERRUPTED
    except Exception as error:
        if arguments.debug:
            raise
        _complain(f"error: {str(error) or type(error).__name__}")
        return _FAILED
    return 0


def _parser() -> _Parser:
    from partita._version import __version__

    parser = _Parser(
        prog="partita",
        description="Take a brain recording apart into non-negative parts: maps and signals.",
    )
    parser.add_argument("--version", action="version", version=f"partita {__version__}")
    parser.set_defaults(command=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_demo(commands)
    _add_run(commands)
    _add_convert(commands)
    _add_recording(_command(commands, "info", _info, "say what a recording holds"))
    return parser


def _add_demo(commands: Any) -> None:
    demo = _command(commands, "demo", _demo, "take a sample recording apart, and draw it")
    _add_quiet(demo)
    demo.add_argument(
        "--out",
        type=Path,
        default=Path("partita-demo"),
        metavar="DIR",
        help="folder for the results (default: %(default)s)",
    )


def _add_run(commands: Any) -> None:
    run = _command(commands, "run", _run, "take a recording apart into maps and signals")
    _add_recording(run)
    _add_quiet(run)
    run.add_argument("-k", type=int, default=10, metavar="N", help="parts (default: %(default)s)")
    run.add_argument(
        "--mode",
        choices=("temporal", "spatial"),
        default="temporal",
        help="whether time points or voxels count as samples (default: %(default)s)",
    )
    run.add_argument(
        "--out",
        metavar="PREFIX",
        help="how the names of the results begin, or a folder (an existing one, or a name that "
        "ends in /), or a .nc or .zarr (default: derivatives/<name of the recording>_desc-nmf)",
    )
    run.add_argument(
        "--no-split",
        action="store_true",
        help="factorise the values as they are, which must not be negative; by default they are "
        "z-scored and their signs split",
    )
    run.add_argument(
        "--loss",
        type=_loss,
        default="frobenius",
        help="frobenius, kullback-leibler, itakura-saito, or a beta from 0 to 2 "
        "(default: %(default)s)",
    )
    run.add_argument("--seed", type=int, default=0, help="of the starts (default: %(default)s)")
    _workplace.add_options(run)


def _add_convert(commands: Any) -> None:
    convert = _command(
        commands, "convert", _convert, "write a recording as a Zarr store that fits read fast"
    )
    _add_recording(convert)
    convert.add_argument("out", type=Path, metavar="OUT", help="the store, which ends in .zarr")
    _add_quiet(convert)
    _conversion.add_options(convert)


def _add_recording(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "recording",
        metavar="RECORDING",
        help="NIfTI, NetCDF, Zarr, TIFF, HDF5, NWB, AVI, MP4, .npy, .npz, .mat or .scan; a folder "
        "of TIFF files or a quoted pattern ('run_*.tif') is joined along time",
    )
    parser.add_argument(
        "--dataset", metavar="NAME", help="which array of a file that holds several"
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


def _add_quiet(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quiet", action="store_true", help="no progress and no summary")


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


# The commands


def _demo(arguments: argparse.Namespace) -> None:
    from partita.datasets import sample_path

    if arguments.out.is_file():
        raise NotADirectoryError(
            f"--out names a folder for the demo, and {arguments.out} is a file."
        )
    source = Path(sample_path())
    _take_apart(source, arguments.out / _named_after(source), k=6, quiet=arguments.quiet)


def _run(arguments: argparse.Namespace) -> None:
    source = Path(arguments.recording)
    _take_apart(
        source,
        _destination(arguments.out, source),
        options=_options(arguments),
        k=arguments.k,
        quiet=arguments.quiet,
        split=not arguments.no_split,
        mode=arguments.mode,
        workplace=_workplace.of(arguments),
        checkpoint=arguments.checkpoint,
        loss=arguments.loss,
        random_state=arguments.seed,
    )


def _convert(arguments: argparse.Namespace) -> None:
    started = perf_counter()
    written = _conversion.convert(
        arguments.recording,
        arguments.out,
        options={name: value for name, value in _options(arguments).items() if value is not None},
        chunks=arguments.chunks or "auto",
        memory=arguments.memory_limit,
        force=arguments.force,
        quiet=arguments.quiet,
    )
    if not arguments.quiet:
        print(f"Done in {perf_counter() - started:.1f} s: {arguments.out}  ({_sizes(written)})")


def _info(arguments: argparse.Namespace) -> None:
    import partita
    from partita.io import SeveralArrays

    path = Path(arguments.recording)
    try:
        facts = list(_facts(partita.load(path, **_options(arguments)), path))
    except SeveralArrays as several:
        facts = list(_choice(several, path))
    width = max(len(label) for label, _ in facts) + 2
    for label, text in facts:
        print(f"{label:<{width}}{text}")


# Their steps


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what load is told beside the path."""
    size = arguments.pixel_size
    return {
        "dataset": arguments.dataset,
        "dims": arguments.dims,
        "frame_rate": arguments.frame_rate,
        "pixel_size": size[0] if size and len(size) == 1 else size,
    }


def _take_apart(
    source: Path,
    out: Path,
    *,
    k: int,
    quiet: bool,
    split: bool = True,
    options: Mapping[str, Any] | None = None,
    workplace: _workplace.Workplace = _ANYWHERE,
    checkpoint: Path | None = None,
    **parameters: Any,
) -> None:
    """Load, standardise, factorise, save, draw, and say where it all is."""
    import partita

    started = perf_counter()
    cut: dict[str, Any] = {}
    if workplace.chunks is not None:
        cut["chunks"] = dict(workplace.chunks)
    recording = partita.load(source, **(options or {}), **cut)
    if not quiet:
        print(f"{source.name}: {_sizes(recording)}, {_size(recording.nbytes)}", flush=True)
    parameters = {"random_state": 0, "verbose": int(not quiet), **parameters}
    with workplace.at_work():
        recording = workplace.laid_out(recording)
        prepared = recording.pipe(partita.preprocess.zscore) if split else recording
        with workplace.stored(prepared, out) if split else nullcontext(prepared) as stored:
            signed = stored.pipe(partita.preprocess.split_sign) if split else stored
            model = partita.NMF(n_components=k, **parameters).fit(signed, checkpoint=checkpoint)
    written = [Path(path) for path in partita.save(model, out)]
    if out.suffix not in _WHOLE:
        written += _drawn(model, recording, out)
    if not quiet:
        _report(model, written, seconds=perf_counter() - started)


def _drawn(model: NMF, recording: xr.DataArray, prefix: Path) -> list[Path]:
    """Draw the components, and the strongest map where it is; return the pictures' paths."""
    import matplotlib as mpl

    mpl.use("Agg")  # no window opens, and no display is needed
    from matplotlib import pyplot as plt

    from partita.plotting import plot_components, plot_map

    figures: dict[str, Any] = {"components": plot_components(model)}
    if {"y", "x"} <= set(recording.dims):
        axes = plot_map(model.maps_.isel(component=0), background=recording.mean("time"))
        figures["map"] = axes.get_figure()
    paths = [prefix.with_name(f"{prefix.name}_{kind}.png") for kind in figures]
    for path, figure in zip(paths, figures.values(), strict=True):
        figure.savefig(path, dpi=150)
        plt.close(figure)
    return paths


def _destination(out: str | None, source: Path) -> Path:
    """Return the prefix of the results, or the one file asked for."""
    name = _named_after(source)
    if out is None:
        return Path("derivatives") / name
    folder = out.endswith(("/", os.sep)) or Path(out).is_dir()
    return Path(out) / name if folder and Path(out).suffix != ".zarr" else Path(out)


def _named_after(source: Path) -> str:
    """Return the name of the results: a BIDS name loses its suffix (_bold, _pwd)."""
    stem = source.name.removesuffix(_extension(source))
    if stem.startswith("sub-") and "-" not in stem.rpartition("_")[2]:
        stem = stem.rpartition("_")[0]
    return f"{stem}_desc-nmf"


def _extension(path: Path) -> str:
    return ".nii.gz" if path.name.endswith(".nii.gz") else path.suffix


# What is said


def _report(model: NMF, written: list[Path], *, seconds: float) -> None:
    state = "converged" if model.converged_ else "not converged"
    print(f"{model.maps_.sizes['component']} parts, {state} after {model.n_iter_} iterations")
    print(f"Done in {seconds:.1f} s. The results:")
    for path in written:
        print(f"  {path}  ({_content(path)})")


def _content(path: Path) -> str:
    for ending, content in _CONTENTS.items():
        if path.name.endswith(ending):
            sign = next((s for s in ("positive", "negative") if f"_sign-{s}_" in path.name), "")
            return f"{sign} {content}".strip()
    return path.suffix


def _size(n_bytes: int) -> str:
    """Return a number of bytes in words: ``"27.4 MB"``."""
    return f"{n_bytes / 1e9:.2f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.1f} MB"


def _facts(recording: xr.DataArray, path: Path) -> Iterator[tuple[str, str]]:
    """Give what there is to know of a recording, as pairs of a label and a text."""
    yield "file", str(path)
    sidecar = path.with_name(path.name.removesuffix(_extension(path)) + ".json")
    yield (
        "format",
        _format(recording, path) + (f" with sidecar {sidecar.name}" if sidecar.is_file() else ""),
    )
    long_name = recording.attrs.get("long_name", recording.name)
    yield "values", f"{long_name} [{recording.attrs.get('units', 'no units')}]"
    yield "sizes", _sizes(recording)
    memory = f"{_size(recording.nbytes)} as {recording.dtype}"
    largest = " x ".join(str(max(sizes)) for sizes in recording.chunks or ())
    yield "memory", f"{memory}, in blocks of at most {largest}"
    for name, coordinate in recording.coords.items():
        yield str(name), _extent(coordinate)
    for dim in recording.dims:
        if dim not in recording.coords:
            yield str(dim), f"{recording.sizes[dim]}, without coordinate"
    for key, value in recording.attrs.items():
        if key not in ("long_name", "units"):
            yield f"  {key}", _text(value)


def _format(recording: xr.DataArray, path: Path) -> str:
    """Return the format in words, by what is in the file."""
    from partita.io import name_format

    return str(recording.encoding.get("format") or name_format(path))


def _choice(several: SeveralArrays, path: Path) -> Iterator[tuple[str, str]]:
    """Give what a file holds of which none is loaded without its name."""
    yield "file", str(path)
    yield "format", several.kind
    yield "holds", f"{len(several.entries)} arrays; choose one with --dataset NAME"
    for entry in several.entries:
        yield f"  {entry.name}", f"{' x '.join(map(str, entry.shape))}, {entry.type}"


def _extent(coordinate: xr.DataArray) -> str:
    """Return the range of a coordinate and its step, or what else there is to say of it."""
    import numpy as np

    values, units = coordinate.values, coordinate.attrs.get("units", "")
    if values.ndim == 0 and coordinate.attrs:
        return ", ".join(f"{key} {_text(value)}" for key, value in coordinate.attrs.items())
    if values.ndim != 1 or values.dtype.kind not in "iuf":
        return _text(values.ravel()[:8])
    if values.size == 1:
        return f"{values[0]:.6g} {units}".rstrip()
    steps = np.diff(values.astype(float))
    step = float(np.median(steps))
    even = "" if np.allclose(steps, step, rtol=1e-3, atol=0) else " in the median, uneven"
    return f"{values[0]:.6g} to {values[-1]:.6g} {units}, step {step:.6g}{even}".replace(" ,", ",")


def _text(value: Any) -> str:
    """Return a value in a few words, numbers in few digits."""
    if getattr(value, "ndim", 0) == 0:
        return shorten(str(value), _WIDTH)
    words = (f"{item:.4g}" if value.dtype.kind == "f" else str(item) for item in value.ravel())
    return shorten(" ".join(words), _WIDTH)


def _sizes(recording: xr.DataArray) -> str:
    return ", ".join(f"{dim} {size}" for dim, size in recording.sizes.items())


def _complain(text: str) -> None:
    print("partita:", " ".join(text.split()), file=sys.stderr)


@contextmanager
def _brief_warnings() -> Iterator[None]:
    """Show what concerns the user in one line each, and not where in the code it was said."""

    def show(message: Warning | str, *_: object, **__: object) -> None:
        _complain(f"warning: {message}")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show
        yield
