"""The two hosts of the recordings of Nunez-Elizalde et al. (2022), and their lists of files."""

from __future__ import annotations

import configparser
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from partita.datasets.cache import HostError, RemoteFile, read_page, remote_file

OBJECT_STORE = "https://confusius-datasets.s3.us-west-2.amazonaws.com"
OSF_API = "https://api.osf.io"
OSF_FILES = "https://osf.io"

DATASET = "nunez-elizalde-2022-bids"
OSF_NODE = "43skw"
MOST_PAGES = 100  # of one listing, lest a host that answers in circles is read for ever

Index = dict[str, RemoteFile]


def index_of_object_store() -> Index:
    """List the files of the newest version in the object store, with SHA-256."""
    versions = configparser.ConfigParser()
    url = f"{OBJECT_STORE}/last_versions.conf"
    try:
        versions.read_string(read_page(url).decode())
        version = versions["datasets"][DATASET]
    except (configparser.Error, KeyError, UnicodeDecodeError) as error:
        raise HostError(f"{url} does not name a version of {DATASET}") from error
    if not re.fullmatch(r"\w[\w.-]*", version):
        raise HostError(f"{url} names the version {version!r}")
    base = f"{OBJECT_STORE}/datasets/{DATASET}/{version}"
    return _index(
        f"{base}/manifest.json",
        locate=lambda path, _: f"{base}/{quote(path)}",
        algorithm="sha256",
    )


def index_of_osf() -> Index:
    """List the files on OSF, with MD5 where it gives one."""
    root = f"{OSF_API}/v2/nodes/{OSF_NODE}/files/osfstorage/"
    folder = _find(root, DATASET, kind="folder")
    listing = _find(f"{root}{folder}/", "dataset_index.json", kind="file")
    return _index(f"{OSF_FILES}/download/{listing}/", locate=_locate_on_osf, algorithm="md5")


HOSTS: dict[str, tuple[str, Callable[[], Index]]] = {
    "object-store": ("the object store", index_of_object_store),
    "osf": ("OSF", index_of_osf),
}


def _index(url: str, *, locate: Callable[[str, Mapping[str, Any]], str], algorithm: str) -> Index:
    """Read a list of files: a JSON object from path to size, hash and, on OSF, place."""
    entries = _json(url)
    if not isinstance(entries, dict) or not entries:
        raise HostError(f"{url} is not a list of files")
    index = {}
    for path, entry in entries.items():
        if not isinstance(entry, dict):
            raise HostError(f"{url} says {entry!r} of {path!r}")
        index[path] = remote_file(
            path,
            locate(path, entry),
            size=entry.get("size"),
            algorithm=algorithm,
            digest=entry.get(algorithm),
        )
    return index


def _locate_on_osf(path: str, entry: Mapping[str, Any]) -> str:
    return f"{OSF_FILES}/download/{_identifier(entry.get('osf_path'), path)}/"


def _identifier(place: object, name: str) -> str:
    """Return the bare identifier of a file on OSF, which it writes as /<id> or /<id>/."""
    found = re.fullmatch(r"/?(\w+)/?", place) if isinstance(place, str) else None
    if found is None:
        raise HostError(f"OSF gives {name} the place {place!r}")
    return found[1]


def _find(url: str, name: str, *, kind: str) -> str:
    """Return the identifier of the file or folder called `name` in a listing of OSF."""
    for item in _listed(url):
        if item.get("name") == name and item.get("kind") == kind:
            return _identifier(item.get("path"), name)
    raise HostError(f"{url} lists no {kind} called {name}")


def _listed(url: str) -> Iterator[Mapping[str, Any]]:
    """Go through the attributes of everything in a listing of OSF, page after page."""
    following: Any = url
    for _ in range(MOST_PAGES):
        page = _json(following)
        try:
            items = [dict(item["attributes"]) for item in page["data"]]
            following = page.get("links", {}).get("next")
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise HostError(f"{following} is not a listing of OSF") from error
        yield from items
        if not following:
            return


def _json(url: str) -> Any:
    try:
        return json.loads(read_page(url))
    except ValueError as error:
        raise HostError(f"{url} is not JSON") from error
