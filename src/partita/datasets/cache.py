"""Files of published data sets: where they are kept, how they are fetched and checked."""

from __future__ import annotations

import io
import os
import re
import tempfile
from pathlib import Path
from typing import NamedTuple

from partita._labels.numbers import is_whole

VARIABLE = "PARTITA_DATA_DIR"
TIMEOUT = 60.0  # s without a byte
CHUNK = 2**17  # bytes written at a time
DIGEST_LENGTHS = {"md5": 32, "sha256": 64}  # hexadecimal digits


class HostError(Exception):
    """What a host did wrong, in words; the caller turns to the next host or gives up."""


class RemoteFile(NamedTuple):
    """A file of a data set: its place below the root, where to get it, and what it must be."""

    path: str
    url: str
    size: int
    algorithm: str
    digest: str | None


def data_folder(data_dir: str | os.PathLike[str] | None, name: str) -> Path:
    """Return the folder of a data set: the argument's, else PARTITA_DATA_DIR's, else the cache's.

    Parameters
    ----------
    data_dir : path or None
        Folder that holds data sets.
    name : str
        Name of the data set, the last part of the folder.

    Returns
    -------
    pathlib.Path
        An absolute path, which need not exist yet.
    """
    chosen = data_dir or os.environ.get(VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute() / name
    import pooch

    return Path(pooch.os_cache("partita")).absolute() / name


def remote_file(
    path: object, url: str, *, size: object, algorithm: str, digest: object
) -> RemoteFile:
    """Return one entry of a host's list of files, or refuse it."""
    if not (isinstance(path, str) and is_confined(path)):
        raise HostError(f"its list names {path!r}, which is not a path inside the data set")
    if not is_whole(size) or size < 0:
        raise HostError(f"its list gives {path} the size {size!r}")
    if digest is None:
        return RemoteFile(path, url, size, algorithm, None)
    pattern = f"[0-9a-fA-F]{{{DIGEST_LENGTHS[algorithm]}}}"
    if not (isinstance(digest, str) and re.fullmatch(pattern, digest)):
        raise HostError(f"its list gives {path} the {algorithm} {digest!r}")
    return RemoteFile(path, url, size, algorithm, digest.lower())


def is_confined(path: str) -> bool:
    """Whether a relative path with forward slashes stays below any folder, on any system."""
    parts = path.split("/")
    return not (re.search(r'[\\:*?"<>|\x00-\x1f]', path) or {"", ".", ".."} & set(parts))


def place(root: Path, file: RemoteFile) -> Path:
    """Return where a file is kept, links below `root` that lead elsewhere refused."""
    target = root.joinpath(*file.path.split("/"))
    if not target.resolve().is_relative_to(root.resolve()):
        raise ValueError(
            f"{target} leads outside the cache directory {root} (to {target.resolve()}). "
            "Remove the link, or choose another folder with data_dir= or "
            f"the environment variable {VARIABLE}."
        )
    return target


def is_complete(target: Path, file: RemoteFile) -> bool:
    """Whether a file is there, of the right size and, where a hash is known, the right hash."""
    return target.is_file() and _fault(target, file) is None


def read_page(url: str) -> bytes:
    """Return what a URL answers with, or say in a `HostError` what went wrong."""
    page = io.BytesIO()
    _get(url, page)
    return page.getvalue()


def download(file: RemoteFile, target: Path) -> None:
    """Fetch one file; it appears at `target` whole and checked, or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".", suffix=".partial")
    partial = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            _get(file.url, stream)
        fault = _fault(partial, file)
        if fault is not None:
            raise HostError(f"{file.url} {fault}; the download was thrown away")
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _fault(path: Path, file: RemoteFile) -> str | None:
    """Say what is wrong with a file on disk, or None."""
    import pooch

    size = path.stat().st_size
    if size != file.size:
        return f"has {size} bytes instead of {file.size}"
    if file.digest is None or pooch.file_hash(str(path), alg=file.algorithm) == file.digest:
        return None
    return f"does not have the {file.algorithm} hash {file.digest}"


def _get(url: str, stream: io.BufferedIOBase) -> None:
    import pooch
    import requests

    try:
        pooch.HTTPDownloader(chunk_size=CHUNK, timeout=TIMEOUT)(url, stream, None)
    except requests.HTTPError as error:
        raise HostError(f"{url} answered {str(error).split(' for url')[0]}") from error
    except requests.Timeout as error:
        raise HostError(f"{url} did not answer within {TIMEOUT:g} s") from error
    except requests.exceptions.ChunkedEncodingError as error:
        raise HostError(f"{url} broke off in the middle") from error
    except requests.RequestException as error:
        raise HostError(f"{url} could not be reached ({type(error).__name__})") from error
