"""What each command does."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from time import perf_counter
from typing import Any

from partita._cli import conversion, results, words
from partita._cli.workplace import Workplace, workplace_of

# Whatever is heavy is imported inside the commands, so that --version and --help answer at once.
_ANYWHERE = Workplace()


def demo(arguments: argparse.Namespace) -> None:
    """Take the sample recording apart."""
    from partita.datasets import sample_path

    if arguments.out.is_file():
        raise NotADirectoryError(
            f"--out names a folder for the demo, and {arguments.out} is a file."
        )
    source = Path(sample_path())
    out = arguments.out / _named_after(source)
    _take_apart(source, out, k=6, quiet=arguments.quiet, force=arguments.force)


def run(arguments: argparse.Namespace) -> None:
    """Take a recording apart."""
    source = Path(arguments.recording)
    _take_apart(
        source,
        _destination(arguments.out, source),
        options=_options(arguments),
        k=arguments.k,
        quiet=arguments.quiet,
        force=arguments.force,
        split=not arguments.no_split,
        mode=arguments.mode,
        workplace=workplace_of(arguments),
        checkpoint=arguments.checkpoint,
        loss=arguments.loss,
        random_state=arguments.seed,
    )


def convert(arguments: argparse.Namespace) -> None:
    """Write a recording as a Zarr store."""
    started = perf_counter()
    written = conversion.convert(
        arguments.recording,
        arguments.out,
        options={name: value for name, value in _options(arguments).items() if value is not None},
        chunks=arguments.chunks or "auto",
        memory=arguments.memory_limit,
        force=arguments.force,
        quiet=arguments.quiet,
    )
    if not arguments.quiet:
        seconds, sizes = perf_counter() - started, words.sizes_of(written)
        print(f"Done in {seconds:.1f} s: {arguments.out}  ({sizes})")


def info(arguments: argparse.Namespace) -> None:
    """Say what a recording holds."""
    from partita.io.entries import SeveralArrays
    from partita.io.loading import load_headers

    path = Path(arguments.recording)
    try:
        facts = list(words.facts_of(load_headers(path, **_options(arguments)), path))
    except SeveralArrays as several:
        facts = list(words.choice_of(several, path))
    width = max(len(label) for label, _ in facts) + 2
    for label, text in facts:
        print(f"{label:<{width}}{text}")


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what load is told beside the path."""
    size = arguments.pixel_size
    return {
        "dataset": arguments.dataset,
        "dims": arguments.dims,
        "frame_rate": arguments.frame_rate,
        "pixel_size": size[0] if size and len(size) == 1 else size,
        **({"allow_external": True} if arguments.allow_external else {}),
    }


def _take_apart(
    source: Path,
    out: Path,
    *,
    k: int,
    quiet: bool,
    force: bool = False,
    split: bool = True,
    options: Mapping[str, Any] | None = None,
    workplace: Workplace = _ANYWHERE,
    checkpoint: Path | None = None,
    **parameters: Any,
) -> None:
    """Load, standardise, factorise, save, draw, and say where it all is."""
    import partita

    started = perf_counter()
    parameters = {"random_state": 0, "verbose": int(not quiet), **parameters}
    model = partita.NMF(n_components=k, **parameters)
    model.check_parameters()  # before any work is lost
    results.refuse_place(out, source, checkpoint, force=force)
    cut: dict[str, Any] = {}
    if workplace.chunks is not None:
        cut["chunks"] = dict(workplace.chunks)
    recording = partita.load(source, **(options or {}), **cut)
    if not quiet:
        sizes, size = words.sizes_of(recording), words.size_of(recording.nbytes)
        print(f"{source.name}: {sizes}, {size}", flush=True)
    with workplace.at_work():
        recording = workplace.laid_out(recording)
        prepared = recording.pipe(partita.preprocess.zscore) if split else recording
        with workplace.stored(prepared, out) if split else nullcontext(prepared) as stored:
            signed = stored.pipe(partita.preprocess.split_sign) if split else stored
            model.fit(signed, checkpoint=checkpoint)
    written = [Path(path) for path in partita.save(model, out, overwrite=force)]
    if out.suffix not in results.WHOLE:
        written += results.draw(model, recording, out, force=force)
    if not quiet:
        words.report(model, written, seconds=perf_counter() - started)


def _destination(out: str | None, source: Path) -> Path:
    """Return the prefix of the results, or the one file asked for."""
    name = _named_after(source)
    if out is None:
        return Path("derivatives") / name
    place = Path(out).expanduser()  # no shell does, after an equals sign
    folder = out.endswith(("/", os.sep)) or place.is_dir()
    return place / name if folder and place.suffix != ".zarr" else place


def _named_after(source: Path) -> str:
    """Return the name of the results: a BIDS name loses its suffix (_bold, _pwd)."""
    stem = source.name.removesuffix(words.extension(source))
    if stem.startswith("sub-") and "-" not in stem.rpartition("_")[2]:
        stem = stem.rpartition("_")[0]
    return f"{stem}_desc-nmf"
