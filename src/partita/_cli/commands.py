"""What each command does."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from partita._cli import conversion, happenings, preparation, results, words
from partita._cli.preparation import Steps
from partita._cli.workplace import Workplace, workplace_of

if TYPE_CHECKING:
    import xarray as xr

# Whatever is heavy is imported inside the commands, so that --version and --help answer at once.
_ANYWHERE = Workplace()


def demo(arguments: argparse.Namespace) -> None:
    """Take the sample recording apart."""
    from partita.datasets import sample_path

    source = str(sample_path())
    out = results.destination(str(arguments.out), [source])
    _take_apart([source], out, steps=Steps(), quiet=arguments.quiet, force=arguments.force)


def run(arguments: argparse.Namespace) -> None:
    """Take one or several recordings apart."""
    given = {"tol": arguments.tol, "max_iter": arguments.max_iter}
    _take_apart(
        arguments.recording,
        results.destination(arguments.out, arguments.recording),
        steps=preparation.steps_of(arguments),
        events=arguments.events or (),
        options=_options(arguments),
        quiet=arguments.quiet,
        force=arguments.force,
        workplace=workplace_of(arguments),
        checkpoint=arguments.checkpoint,
        n_components=arguments.k,
        mode=arguments.mode,
        loss=arguments.loss,
        random_state=arguments.seed,
        **{name: value for name, value in given.items() if value is not None},
    )


def register(arguments: argparse.Namespace) -> None:
    """Take the motion out of a recording, and write it."""
    import partita
    from partita.io.formats import by_suffix
    from partita.io.loading import read_by
    from partita.io.overwriting import refuse_inputs

    out = Path(arguments.out).expanduser()
    by_suffix(out)  # before any work is lost
    refuse_inputs([out], read_by(arguments.recording))
    if out.exists() and not arguments.force:
        raise FileExistsError(f"{out} is there already. Replace it with --force, or name another.")
    started = perf_counter()
    still = partita.preprocess.register(
        partita.load(arguments.recording, **_options(arguments)),
        transform=arguments.transform,
        per=arguments.per,
        max_shift=arguments.max_shift,
        verbose=int(not arguments.quiet),
    )
    partita.save(still, out, overwrite=arguments.force)
    if not arguments.quiet:
        print(f"{int(still['suspect'].sum())} of {still['suspect'].size} frames are suspect")
        print(f"Done in {perf_counter() - started:.1f} s: {out}")


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
    sources: Sequence[str],
    out: Path,
    *,
    steps: Steps,
    quiet: bool,
    force: bool = False,
    events: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
    workplace: Workplace = _ANYWHERE,
    checkpoint: Path | None = None,
    **parameters: Any,
) -> None:
    """Load, prepare, factorise, save, draw, and say where it all is."""
    import partita

    started = perf_counter()
    model = partita.NMF(**{"random_state": 0, "verbose": int(not quiet), **parameters})
    model.check_parameters()  # before any work is lost
    if checkpoint is not None and len(sources) > 1:
        raise ValueError("--checkpoint keeps the fit of one recording, and several are given.")
    results.refuse_place(out, sources, checkpoint, force=force)
    names = results.names_of(sources)
    happened = happenings.load_each(events, names)
    recordings = _loaded(sources, names, options or {}, workplace, quiet=quiet)
    happenings.refuse_outside(happened, recordings)
    with workplace.at_work(), ExitStack() as stores:
        moved = {name: steps.registered(one) for name, one in recordings.items()}
        mask = steps.inside(moved)
        signed = {}
        for name, recording in moved.items():
            scaled = steps.scaled(recording, mask)
            if scaled is not recordings[name]:  # what is read as it is needs no second place
                scaled = stores.enter_context(workplace.stored(scaled, out))
            signed[name] = steps.signed(scaled)
        if len(signed) == 1:
            model.fit(next(iter(signed.values())), checkpoint=checkpoint)
        else:
            model.fit_sessions(signed)
    written = [Path(path) for path in partita.save(model, out, overwrite=force)]
    found = happenings.followers(model, happened)
    happenings.describe(written, found)
    if out.suffix not in results.WHOLE:
        first = next(iter(moved.values()))
        written += results.draw(
            model, first, out, force=force, events=happenings.for_plots(happened)
        )
    if not quiet:
        words.report(model, written, found, seconds=perf_counter() - started)


def _loaded(
    sources: Sequence[str],
    names: Sequence[str],
    options: Mapping[str, Any],
    workplace: Workplace,
    *,
    quiet: bool,
) -> dict[str, xr.DataArray]:
    """Return the recordings by name, in memory where all of them fit."""
    import partita

    cut: dict[str, Any] = {} if workplace.chunks is None else {"chunks": dict(workplace.chunks)}
    recordings = {}
    for name, source in zip(names, sources, strict=True):
        recordings[name] = one = partita.load(source, **options, **cut)
        if not quiet:
            size = words.size_of(one.nbytes)
            print(f"{Path(source).name}: {words.sizes_of(one)}, {size}", flush=True)
    return workplace.laid_out(recordings)
