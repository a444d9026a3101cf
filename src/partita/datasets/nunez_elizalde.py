"""The functional-ultrasound recordings of Nunez-Elizalde et al. (2022), fetched on demand."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal

from partita._labels.warn import warn
from partita.datasets.nunez_elizalde_hosts import (
    HOSTS,
    HostError,
    Index,
    RemoteFile,
    checked,
    get,
)

VARIABLE = "PARTITA_DATA_DIR"
NAME = "nunez-elizalde-2022"
INDEX_FILE = ".partita-index.json"
ENTITIES = {"subject": "sub", "session": "ses", "task": "task", "acq": "acq"}
PLURALS = {"subject": "subjects", "session": "sessions", "task": "tasks", "acq": "acqs"}

Host = Literal["auto", "object-store", "osf"]
Names = str | int | Iterable[str | int] | None


def fetch_nunez_elizalde_2022(
    *,
    subjects: Names = None,
    sessions: Names = None,
    tasks: Names = None,
    acqs: Names = None,
    data_dir: str | os.PathLike[str] | None = None,
    host: Host = "auto",
    verbose: int = 1,
) -> list[Path]:
    """Fetch power Doppler recordings of awake mice, a BIDS data set of 7.0 GB in all.

    Five mice, ten sessions, each slice of the brain recorded on its own: spontaneous activity
    (task ``spontaneous``) and visual stimuli (``checkerboard``, ``kalatsky``). One recording is
    about 30 MB. Please cite the paper when you use them [1]_; the data [2]_ are licensed CC BY 4.0.

    Only what is missing is downloaded, file by file, so that a broken download goes on where it
    stopped. Each file is checked against the size and hash that the host publishes (SHA-256 in
    the object store, MD5 on OSF) before it takes its name; a broken one is never kept. What has
    been fetched once is found again without a network: the host's list of files is kept beside
    the data, in ``.partita-index.json``. Delete that file to ask the host for a newer version.

    Parameters
    ----------
    subjects : str or sequence of str, optional
        CR017, CR019, CR020, CR022, CR024; all by default.
    sessions : str or sequence of str, optional
        Dates such as ``"20201011"``; all of the chosen subjects' by default.
    tasks : str or sequence of str, optional
        spontaneous, checkerboard, kalatsky; all by default.
    acqs : str or sequence of str, optional
        Slices such as ``"slice03"``; all by default. Files without a task or slice in their name
        (the angiography of a session, the description of the data set) always come along.
    data_dir : path, optional
        Folder that holds data sets; this one goes to ``nunez-elizalde-2022`` in it. By default
        the folder in the environment variable PARTITA_DATA_DIR, else the system's cache folder.
    host : {"auto", "object-store", "osf"}
        Where from. "auto" takes the object store, and OSF with a warning where that fails.
    verbose : int
        0 is silent. Since gigabytes may be asked for, 1, the default, says how much is to be
        downloaded before it starts, and shows a bar.

    Returns
    -------
    list of pathlib.Path
        The recordings asked for (``sub-*/ses-*/fusi/*_pwd.nii.gz``), sorted, for
        :func:`partita.load`; sidecars and events lie beside them.

    Raises
    ------
    ValueError
        If a subject, session, task, acquisition or host is unknown (the known ones are listed),
        or a link in the cache directory leads out of it.
    ConnectionError
        If no host provides what is missing.

    Warns
    -----
    UserWarning
        If the object store fails and OSF is tried, or a file comes without a published hash, so
        that only its size is checked.

    References
    ----------
    .. [1] Nunez-Elizalde, A. O., Krumin, M., Reddy, C. B., Montaldo, G., Urban, A., Harris,
       K. D., & Carandini, M. (2022). Neural correlates of blood flow measured by ultrasound.
       Neuron, 110(10), 1631-1640. https://doi.org/10.1016/j.neuron.2022.02.012
    .. [2] Nunez-Elizalde, A. O., et al. (2022). Data of "Neural correlates of blood flow
       measured by ultrasound". figshare. https://doi.org/10.6084/m9.figshare.19316228

    Examples
    --------
    >>> import partita as pt
    >>> paths = pt.datasets.fetch_nunez_elizalde_2022(
    ...     subjects="CR022", sessions="20201011", tasks="spontaneous", acqs="slice03"
    ... )  # doctest: +SKIP
    >>> recording = pt.load(paths[0])  # doctest: +SKIP
    """
    wanted = {
        "subject": _values(subjects, "sub"),
        "session": _values(sessions, "ses"),
        "task": _values(tasks, "task"),
        "acq": _values(acqs, "acq"),
    }
    hosts = _hosts(host)
    root = _data_folder(data_dir) / NAME
    kept = _select(_read_index(root), wanted)
    if kept and not _missing(root, kept):
        return _recordings(root, kept)
    failures: list[str] = []
    for name in hosts:
        title, listed = HOSTS[name]
        if failures:
            warn(f"{failures[-1]}. Trying {title} instead.")
        try:
            return _fetch_from(title, listed(), wanted, root, verbose=verbose)
        except HostError as error:
            failures.append(f"{title[0].upper()}{title[1:]} failed: {error}")
    raise ConnectionError(_failure_in_words(failures, root))


def _failure_in_words(failures: Sequence[str], root: Path) -> str:
    return (
        f"{NAME} could not be fetched. {'. '.join(failures)}. What was fetched before is kept in "
        f"{root}; call again to go on from there. To use a folder that has the files, "
        f"give data_dir= or set the environment variable {VARIABLE} to the folder above it."
    )


def _data_folder(data_dir: str | os.PathLike[str] | None) -> Path:
    """Return the folder of all data sets: the argument's, else the variable's, else the cache."""
    import pooch

    chosen = data_dir or os.environ.get(VARIABLE) or pooch.os_cache("partita")
    return Path(chosen).expanduser().absolute()


def _fetch_from(
    title: str,
    index: Index,
    wanted: Mapping[str, list[str] | None],
    root: Path,
    *,
    verbose: int,
) -> list[Path]:
    """Download from one host what is missing of the chosen files."""
    chosen = _select(index, wanted)
    missing = _missing(root, chosen)
    root.mkdir(parents=True, exist_ok=True)
    if missing:
        _download(missing, f"{len(missing)} of {len(chosen)} files", title, root, verbose=verbose)
    _write_index(root, index)
    return _recordings(root, chosen)


def _download(missing: Index, amount: str, title: str, root: Path, *, verbose: int) -> None:
    """Fetch files; each appears whole and checked, or not at all."""
    import pooch
    from tqdm import tqdm

    from partita._progress import progress

    total = sum(file.size for file in missing.values())
    if verbose:
        size = tqdm.format_sizeof(total, "B")
        print(f"{NAME}: downloading {amount}, {size}, from {title} to {root}", file=sys.stderr)
    unhashed = [path for path, file in missing.items() if file.hash is None]
    if unhashed:
        warn(
            f"{title} publishes no hash for {len(unhashed)} of the files to download; only their "
            f"size is checked: {', '.join(unhashed[:5])}{', …' if len(unhashed) > 5 else ''}."
        )
    known = {path: file.hash for path, file in missing.items()}
    urls = {path: file.url for path, file in missing.items()}
    store = pooch.create(path=root, base_url="", registry=known, urls=urls)
    line_of_bytes = progress("download", total, unit="B", scaled=True, shown=bool(verbose))
    with _quiet(), line_of_bytes as line:
        for path, file in missing.items():
            try:
                store.fetch(path, downloader=partial(_of_size, size=file.size))
            except ValueError as error:
                raise HostError(f"{file.url}: {error}") from error
            line.update(file.size)


def _of_size(url: str, target: str, store: Any, *, size: int) -> None:
    get(url, target, store)
    found = os.path.getsize(target)
    if found != size:
        raise HostError(f"{url} has {found} bytes instead of {size}; it was thrown away")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep pooch from printing a line a file."""
    import pooch

    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel("WARNING")
    try:
        yield
    finally:
        logger.setLevel(level)


def _missing(root: Path, files: Index) -> Index:
    """Return the files that are not there, or not of the size and hash that they must have."""
    return {path: file for path, file in files.items() if not _is_there(_place(root, path), file)}


def _is_there(target: Path, file: RemoteFile) -> bool:
    if not target.is_file() or target.stat().st_size != file.size:
        return False
    import pooch

    algorithm, _, digest = (file.hash or "").partition(":")
    return file.hash is None or pooch.file_hash(str(target), alg=algorithm) == digest


def _place(root: Path, path: str) -> Path:
    """Return where a file is kept, links below `root` that lead elsewhere refused."""
    target = root / path
    if not target.resolve().is_relative_to(root.resolve()):
        raise ValueError(
            f"{target} leads outside the cache directory {root} (to {target.resolve()}). "
            "Remove the link, or choose another folder with data_dir= or "
            f"the environment variable {VARIABLE}."
        )
    return target


def _hosts(host: str) -> list[str]:
    if host == "auto":
        return list(HOSTS)
    if host in HOSTS:
        return [host]
    raise ValueError(f"There is no host {host!r}; the known ones are auto, {', '.join(HOSTS)}.")


def _values(names: Names, prefix: str) -> list[str] | None:
    """Return the names asked for as strings without their BIDS prefix, None for all."""
    if names is None:
        return None
    several = [names] if isinstance(names, str | int) else names
    return [str(name).removeprefix(f"{prefix}-") for name in several]


def _entities(path: str) -> dict[str, str]:
    return dict(re.findall(r"(?<![A-Za-z0-9])(sub|ses|task|acq)-([A-Za-z0-9]+)", path))


def _select(index: Index, wanted: Mapping[str, list[str] | None]) -> Index:
    """Choose files; one that lacks an entity is not excluded by it. Unknown names are refused."""
    for kind, names in wanted.items():
        if names is None or not index:
            continue
        key = ENTITIES[kind]
        of = {path: _entities(path).get(key) for path in index}
        _require_known(kind, names, sorted({name for name in of.values() if name is not None}))
        index = {path: file for path, file in index.items() if of[path] in (None, *names)}
    return index


def _require_known(kind: str, names: list[str], known: list[str]) -> None:
    if not names:
        raise ValueError(
            f"The list of {PLURALS[kind]} is empty. Leave it out for all, or choose among "
            f"{', '.join(known)}."
        )
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(
            f"{NAME} has no {kind} {', '.join(map(repr, unknown))} among the files chosen so far; "
            f"the known {PLURALS[kind]} are {', '.join(known)}."
        )


def _recordings(root: Path, files: Iterable[str]) -> list[Path]:
    return sorted(root / path for path in files if re.search(r"/fusi/[^/]*_pwd\.nii\.gz$", path))


def _read_index(root: Path) -> Index:
    """Return the list of files kept with the data; empty where there is none to rely on."""
    try:
        entries = json.loads((root / INDEX_FILE).read_text(encoding="utf-8"))
        return {path: checked(path, *entry) for path, entry in entries.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _write_index(root: Path, index: Index) -> None:
    unfinished = root / f"{INDEX_FILE}.partial"
    unfinished.write_text(json.dumps(index, indent=1), encoding="utf-8")
    unfinished.replace(root / INDEX_FILE)
