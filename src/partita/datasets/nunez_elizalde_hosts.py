"""The two hosts of the recordings of Nunez-Elizalde et al. (2022), and their lists of files."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

OBJECT_STORE = "https://confusius-datasets.s3.us-west-2.amazonaws.com"
OSF_API = "https://api.osf.io"
OSF_FILES = "https://osf.io"

DATASET = "nunez-elizalde-2022-bids"
OSF_NODE = "43skw"
MOST_PAGES = 100  # of one listing, lest a host that answers in circles is read for ever
TIMEOUT = 60.0  # s without a byte

_MALFORMED = (AttributeError, KeyError, TypeError, ValueError)


class HostError(Exception):
    """What a host did wrong, in words; the caller turns to the next host or gives up."""


class RemoteFile(NamedTuple):
    """Where to get a file, its size, and its hash as pooch writes it, ``algorithm:digest``."""

    url: str
    size: int
    hash: str | None


Index = dict[str, RemoteFile]


def index_of_object_store() -> Index:
    """List the files of the newest version in the object store, with SHA-256."""
    url = f"{OBJECT_STORE}/last_versions.conf"
    found = re.search(rf"^{DATASET}\s*=\s*(\w[\w.-]*)\s*$", _read(url).decode(), re.MULTILINE)
    if found is None:
        raise HostError(f"{url} does not name a version of {DATASET}")
    base = f"{OBJECT_STORE}/datasets/{DATASET}/{found[1]}"
    return _index(
        f"{base}/manifest.json",
        lambda path, entry: (f"{base}/{quote(path)}", entry["size"], "sha256", entry["sha256"]),
    )


def index_of_osf() -> Index:
    """List the files on OSF, with MD5 where it gives one."""
    root = f"{OSF_API}/v2/nodes/{OSF_NODE}/files/osfstorage/"
    listing = _find(f"{root}{_find(root, DATASET)}/", "dataset_index.json")
    return _index(
        _on_osf(listing),
        lambda _, entry: (_on_osf(_bare(entry["osf_path"])), entry["size"], "md5", entry["md5"]),
    )


HOSTS: dict[str, tuple[str, Callable[[], Index]]] = {
    "object-store": ("the object store", index_of_object_store),
    "osf": ("OSF", index_of_osf),
}


def checked(path: str, url: str, size: int, known: str | None) -> RemoteFile:
    """Return one entry of a list of files, or refuse it (ValueError)."""
    if re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)*", path) is None:
        raise ValueError(f"{path!r} is not a path inside the data set")
    if not (type(size) is int and size >= 0):
        raise ValueError(f"{path} has the size {size!r}")
    if known is not None and not re.fullmatch("md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}", known):
        raise ValueError(f"{path} has the hash {known!r}")
    return RemoteFile(url, size, known)


def get(url: str, stream: Any, _: Any = None) -> None:
    """Write what a URL answers with to a stream or a path, as a downloader of pooch."""
    import pooch
    import requests

    try:
        pooch.HTTPDownloader(timeout=TIMEOUT)(url, stream, None)
    except requests.RequestException as error:
        raise HostError(f"{url} could not be read ({type(error).__name__}: {error})") from error


def _read(url: str) -> bytes:
    page = io.BytesIO()
    get(url, page)
    return page.getvalue()


def _index(
    url: str, read: Callable[[str, Mapping[str, Any]], tuple[str, int, str, str | None]]
) -> Index:
    """Read a list of files: a JSON object from path to size, hash and, on OSF, place."""
    index = {}
    try:
        for path, entry in json.loads(_read(url)).items():
            where, size, algorithm, digest = read(path, entry)
            known = None if digest is None else f"{algorithm}:{digest.lower()}"
            index[path] = checked(path, where, size, known)
    except _MALFORMED as error:
        raise HostError(f"{url} is not a list of files: {error!r}") from error
    if not index:
        raise HostError(f"{url} is not a list of files: it is empty")
    return index


def _on_osf(identifier: str) -> str:
    return f"{OSF_FILES}/download/{identifier}/"


def _bare(place: str) -> str:
    """Return the bare identifier of a file on OSF, which it writes as /<id> or /<id>/."""
    found = re.fullmatch(r"/?(\w+)/?", place)
    if found is None:
        raise ValueError(f"{place!r} is no place on OSF")
    return found[1]


def _find(url: str, name: str) -> str:
    """Return the identifier of the file or folder called `name` in a listing of OSF, by pages."""
    page: Any = url
    for _ in range(MOST_PAGES):
        try:
            found = json.loads(_read(page))
            items = [item["attributes"] for item in found["data"]]
            places = [_bare(item["path"]) for item in items if item["name"] == name]
            page = found.get("links", {}).get("next")
        except _MALFORMED as error:
            raise HostError(f"{page} is not a listing of OSF: {error!r}") from error
        if places:
            return places[0]
        if not page:
            break
    raise HostError(f"{url} lists no {name}")
