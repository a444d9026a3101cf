from __future__ import annotations

import hashlib
import json
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from partita.datasets import fetch_nunez_elizalde_2022, nunez_elizalde
from partita.datasets import nunez_elizalde_hosts as hosts

VERSION = "1.0.2"
STORE = f"/store/datasets/{hosts.DATASET}/{VERSION}"
NODE = f"/api/v2/nodes/{hosts.OSF_NODE}/files/osfstorage/"

FILES = {
    "dataset_description.json": b'{"Name": "mice"}',
    "participants.tsv": b"participant_id\nsub-CR020\nsub-CR022\n",
    "sub-CR022/ses-20201011/angio/sub-CR022_ses-20201011_angio.nii.gz": b"vessels" * 50,
}
FILES |= {
    f"sub-{sub}/ses-{ses}/fusi/sub-{sub}_ses-{ses}_task-{task}_acq-{acq}_pwd{suffix}": (
        f"{sub} {ses} {task} {acq} {suffix} ".encode() * 40
    )
    for sub, ses in (("CR020", "20191120"), ("CR022", "20201007"), ("CR022", "20201011"))
    for task in ("spontaneous", "checkerboard")
    for acq in ("slice01", "slice03")
    for suffix in (".nii.gz", ".json")
}
SLICE = "sub-CR022/ses-20201011/fusi/sub-CR022_ses-20201011_task-spontaneous_acq-slice03_pwd.nii.gz"
ONE = {"subjects": "CR022", "sessions": "20201011", "tasks": "spontaneous", "acqs": "slice03"}


class Host:
    """Plays both hosts from a dictionary of pages, and notes what it was asked for."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {}
        self.truncated: set[str] = set()
        self.unmeasured: set[str] = set()
        self.asked: list[str] = []
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                host.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = request.path
        self.asked.append(path)
        if path not in self.pages:
            request.send_error(404)
            return
        body = self.pages[path]
        request.send_response(200)
        if path not in self.unmeasured:
            request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body[: len(body) // 2] if path in self.truncated else body)

    def downloads(self) -> list[str]:
        return [path for path in self.asked if "sub-" in path or path.endswith(".tsv")]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def put_manifest(self, entries: dict[str, object]) -> None:
        self.pages[f"{STORE}/manifest.json"] = json.dumps(entries).encode()

    def put_store(self) -> None:
        versions = f"[datasets]\n{hosts.DATASET} = {VERSION}\n"
        self.pages["/store/last_versions.conf"] = versions.encode()
        self.put_manifest(
            {
                path: {"size": len(body), "sha256": hashlib.sha256(body).hexdigest()}
                for path, body in FILES.items()
            }
        )
        self.pages |= {f"{STORE}/{path}": body for path, body in FILES.items()}

    def put_osf(self, *, unhashed: str | None = None) -> None:
        index = {}
        for number, (path, body) in enumerate(FILES.items()):
            digest = None if path == unhashed else hashlib.md5(body).hexdigest()
            index[path] = {"osf_path": f"/f{number}", "size": len(body), "md5": digest}
            self.pages[f"/osf/download/f{number}/"] = body
        self.pages["/osf/download/index1/"] = json.dumps(index).encode()
        other = {"name": "notes", "kind": "folder", "path": "/none/"}
        folder = {"name": hosts.DATASET, "kind": "folder", "path": "/folder1/"}
        listing = {"name": "dataset_index.json", "kind": "file", "path": "/index1"}
        self.put_listing(NODE, [other], following=f"{self.url}{NODE}?page=2")
        self.put_listing(f"{NODE}?page=2", [folder])
        self.put_listing(f"{NODE}folder1/", [listing])

    def put_listing(self, path: str, items: list[object], *, following: str | None = None) -> None:
        page = {"data": [{"attributes": item} for item in items], "links": {"next": following}}
        self.pages[path] = json.dumps(page).encode()


@pytest.fixture
def host(monkeypatch):
    server = Host()
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.delenv(nunez_elizalde.VARIABLE, raising=False)
    monkeypatch.setattr(hosts, "OBJECT_STORE", f"{server.url}/store")
    monkeypatch.setattr(hosts, "OSF_API", f"{server.url}/api")
    monkeypatch.setattr(hosts, "OSF_FILES", f"{server.url}/osf")
    yield server
    server.close()


@pytest.fixture
def store(host):
    host.put_store()
    return host


def fetch(folder: Path, **selection: object) -> list[Path]:
    return fetch_nunez_elizalde_2022(data_dir=folder, **{"verbose": 0, **selection})


def fetch_from_store(folder: Path, **selection: object) -> list[Path]:
    return fetch(folder, host="object-store", **selection)


def kept(folder: Path) -> dict[str, bytes]:
    """Return every file below the data set's folder but the list of files."""
    root = folder / "nunez-elizalde-2022"
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.name != ".partita-index.json"
    }


def test_one_slice_comes_with_its_sidecar_angiography_and_the_top_level_files(store, tmp_path):
    paths = fetch(tmp_path, **ONE)
    assert paths == [tmp_path / "nunez-elizalde-2022" / SLICE]
    assert kept(tmp_path) == {
        path: FILES[path]
        for path in (
            SLICE,
            SLICE.replace(".nii.gz", ".json"),
            "sub-CR022/ses-20201011/angio/sub-CR022_ses-20201011_angio.nii.gz",
            "dataset_description.json",
            "participants.tsv",
        )
    }


def test_everything_comes_where_nothing_is_chosen(store, tmp_path):
    paths = fetch(tmp_path)
    assert len(paths) == 12
    assert paths == sorted(paths)
    assert kept(tmp_path) == FILES


@pytest.mark.parametrize(
    "selection",
    [
        {"subjects": ["CR020", "CR022"], "acqs": ["slice01"]},
        {"subjects": ["sub-CR020", "sub-CR022"], "acqs": "acq-slice01"},
        {"acqs": iter(["slice01"])},
        {"sessions": [20191120, 20201007, 20201011], "acqs": "slice01"},
    ],
)
def test_names_are_taken_alone_in_lists_as_numbers_or_with_their_prefix(store, tmp_path, selection):
    assert len(fetch(tmp_path, **selection)) == 6


def test_osf_gives_the_same_files(host, tmp_path):
    host.put_osf()
    assert len(fetch(tmp_path, host="osf")) == 12
    assert kept(tmp_path) == FILES


def test_a_file_without_a_hash_is_checked_by_its_size_and_that_is_said(host, tmp_path):
    host.put_osf(unhashed=SLICE)
    with pytest.warns(
        UserWarning, match=r"OSF publishes no hash for 1 .* only their size .*slice03"
    ):
        fetch(tmp_path, host="osf")
    assert kept(tmp_path) == FILES


def test_a_file_without_a_hash_of_another_size_is_refused(host, tmp_path):
    host.put_osf(unhashed=SLICE)
    number = list(FILES).index(SLICE)
    host.pages[f"/osf/download/f{number}/"] += b"more"
    with (
        pytest.warns(UserWarning, match="no hash"),
        pytest.raises(ConnectionError, match=r"bytes instead of \d+; it was thrown away"),
    ):
        fetch(tmp_path, host="osf", **ONE)
    assert SLICE not in kept(tmp_path)


def test_osf_takes_over_where_the_object_store_has_no_list(host, tmp_path):
    host.put_osf()
    with pytest.warns(UserWarning, match=r"object store failed: .*404.*Trying OSF instead"):
        assert len(fetch(tmp_path)) == 12
    assert kept(tmp_path) == FILES


def test_osf_takes_over_in_the_middle_and_what_came_before_is_not_fetched_again(store, tmp_path):
    store.put_osf()
    del store.pages[f"{STORE}/{SLICE}"]
    with pytest.warns(UserWarning, match="Trying OSF instead"):
        fetch(tmp_path, **ONE)
    assert kept(tmp_path)[SLICE] == FILES[SLICE]
    assert sum(path.startswith("/osf/download/f") for path in store.asked) <= 2


def test_what_was_fetched_is_found_again_without_a_network(store, tmp_path, monkeypatch):
    paths = fetch(tmp_path, **ONE)
    monkeypatch.setattr(hosts, "OBJECT_STORE", "http://127.0.0.1:1")
    monkeypatch.setattr(hosts, "OSF_API", "http://127.0.0.1:1")
    before = list(store.asked)
    assert fetch(tmp_path, **ONE) == paths
    assert store.asked == before


def test_only_what_is_missing_is_fetched(store, tmp_path):
    fetch(tmp_path, **ONE)
    store.asked.clear()
    fetch(tmp_path, **{**ONE, "acqs": None})
    assert len(store.downloads()) == 2
    assert all("slice01" in path for path in store.downloads())


@pytest.mark.parametrize("change", [lambda body: body[:-1], lambda body: b"x" + body[1:]])
def test_a_file_that_was_spoilt_on_disk_is_fetched_again(store, tmp_path, change):
    (path,) = fetch(tmp_path, **ONE)
    path.write_bytes(change(FILES[SLICE]))
    store.asked.clear()
    fetch(tmp_path, **ONE)
    assert path.read_bytes() == FILES[SLICE]
    assert len(store.downloads()) == 1


@pytest.mark.parametrize("spoilt", ["[]", "{", '{"a": 1}', '{"../a": {"url": "", "size": 1}}'])
def test_a_spoilt_list_of_files_beside_the_data_is_asked_for_anew(store, tmp_path, spoilt):
    fetch(tmp_path, **ONE)
    (tmp_path / "nunez-elizalde-2022" / ".partita-index.json").write_text(spoilt, encoding="utf-8")
    store.asked.clear()
    assert len(fetch(tmp_path, **ONE)) == 1
    assert store.asked == ["/store/last_versions.conf", f"{STORE}/manifest.json"]


def test_a_missing_file_names_file_host_cache_and_variable(store, tmp_path):
    del store.pages[f"{STORE}/{SLICE}"]
    with pytest.raises(ConnectionError) as caught:
        fetch_from_store(tmp_path, **ONE)
    words = str(caught.value)
    assert f"{store.url}{STORE}/{SLICE} could not be read (HTTPError: 404" in words
    assert str(tmp_path / "nunez-elizalde-2022") in words
    assert "PARTITA_DATA_DIR" in words
    assert "The object store failed" in words


def test_a_broken_download_goes_on_where_it_stopped(store, tmp_path):
    store.truncated.add(f"{STORE}/{SLICE}")
    with pytest.raises(
        ConnectionError, match=r"slice03_pwd\.nii\.gz could not be read .*IncompleteRead"
    ):
        fetch_from_store(tmp_path, **ONE)
    before = kept(tmp_path)
    assert before == {path: FILES[path] for path in before}
    assert SLICE not in before
    store.truncated.clear()
    store.asked.clear()
    fetch_from_store(tmp_path, **ONE)
    assert kept(tmp_path)[SLICE] == FILES[SLICE]
    assert not [path for path in store.downloads() if path.removeprefix(f"{STORE}/") in before]


def test_a_body_that_ends_early_without_saying_its_length_is_thrown_away(store, tmp_path):
    store.truncated.add(f"{STORE}/{SLICE}")
    store.unmeasured.add(f"{STORE}/{SLICE}")
    with pytest.raises(ConnectionError, match=r"has \d+ bytes instead of \d+; it was thrown away"):
        fetch_from_store(tmp_path, **ONE)
    assert SLICE not in kept(tmp_path)


def test_a_body_of_the_wrong_hash_is_thrown_away(store, tmp_path):
    store.pages[f"{STORE}/{SLICE}"] = b"x" * len(FILES[SLICE])
    with pytest.raises(ConnectionError, match=r"hash of downloaded file .* does not match"):
        fetch_from_store(tmp_path, **ONE)
    assert all(FILES[path] == body for path, body in kept(tmp_path).items())


def test_an_interrupted_download_leaves_no_partial_file(store, tmp_path, monkeypatch):
    import pooch

    class Interrupted(pooch.HTTPDownloader):
        def __call__(self, url, output_file, pooch):
            if url.endswith(".nii.gz"):
                Path(output_file).write_bytes(b"half")
                raise KeyboardInterrupt
            super().__call__(url, output_file, pooch)

    with monkeypatch.context() as patch:
        patch.setattr(pooch, "HTTPDownloader", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetch(tmp_path, **ONE)
    assert all(FILES[path] == body for path, body in kept(tmp_path).items())
    fetch(tmp_path, **ONE)
    assert kept(tmp_path)[SLICE] == FILES[SLICE]


def test_a_host_that_does_not_answer_is_named(host, tmp_path, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    for name in ("OBJECT_STORE", "OSF_API"):
        monkeypatch.setattr(hosts, name, nobody)
    with (
        pytest.warns(UserWarning, match="Trying OSF instead"),
        pytest.raises(ConnectionError, match=r"(?s)object store failed.*could not be.*OSF failed"),
    ):
        fetch(tmp_path)


def test_a_host_that_is_too_slow_is_named(store, tmp_path, monkeypatch):
    import requests

    def too_slow(*_: object, **__: object) -> None:
        raise requests.Timeout

    monkeypatch.setattr(requests, "get", too_slow)
    with pytest.raises(ConnectionError, match=r"could not be read \(Timeout"):
        fetch_from_store(tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "../outside.json",
        "sub-CR022/../../outside.json",
        "/etc/outside.json",
        "C:/outside.json",
        "..\\outside.json",
        "sub-CR022//outside.json",
        "outside\x00.json",
        "",
    ],
)
def test_a_name_that_leads_out_of_the_cache_is_refused(store, tmp_path, name):
    body = b"outside"
    digest = hashlib.sha256(body).hexdigest()
    store.put_manifest({name: {"size": len(body), "sha256": digest}})
    with pytest.raises(ConnectionError, match="not a path inside the data set"):
        fetch_from_store(tmp_path / "cache")
    assert not list(tmp_path.rglob("*outside*"))


def test_a_link_that_leads_out_of_the_cache_is_refused(store, tmp_path):
    outside = tmp_path / "outside"
    root = tmp_path / "cache" / "nunez-elizalde-2022"
    outside.mkdir()
    root.mkdir(parents=True)
    try:
        (root / "sub-CR022").symlink_to(outside, target_is_directory=True)
    except OSError:
        pytest.skip("links cannot be made here")
    with pytest.raises(ValueError, match="leads outside the cache directory"):
        fetch(tmp_path / "cache", **ONE)
    assert not list(outside.iterdir())


@pytest.mark.parametrize(
    ("page", "body", "words"),
    [
        ("/store/last_versions.conf", b"[other]\n", "does not name a version"),
        ("/store/last_versions.conf", b"no section", "does not name a version"),
        (
            "/store/last_versions.conf",
            f"[datasets]\n{hosts.DATASET} = ../1".encode(),
            "does not name a version",
        ),
        (f"{STORE}/manifest.json", b"{broken", "manifest.json is not a list of files"),
        (f"{STORE}/manifest.json", b"[1, 2]", "is not a list of files"),
        (f"{STORE}/manifest.json", b"{}", "is not a list of files"),
        (f"{STORE}/manifest.json", b'{"a": 3}', "is not a list of files"),
        (
            f"{STORE}/manifest.json",
            b'{"a": {"sha256": "00"}}',
            "is not a list of files: KeyError\\('size'",
        ),
        (
            f"{STORE}/manifest.json",
            b'{"a": {"size": 1, "sha256": "00"}}',
            "a has the hash 'sha256:00'",
        ),
    ],
)
def test_a_malformed_list_of_the_object_store_is_refused_in_words(
    store, tmp_path, page, body, words
):
    store.pages[page] = body
    with pytest.raises(ConnectionError, match=words):
        fetch_from_store(tmp_path)


@pytest.mark.parametrize(
    ("page", "body", "words"),
    [
        (f"{NODE}?page=2", b'{"data": []}', f"lists no {hosts.DATASET}"),
        (f"{NODE}folder1/", b'{"data": []}', "lists no dataset_index.json"),
        (NODE, b'{"errors": []}', "is not a listing of OSF"),
        (NODE, b"<html>", "is not a listing of OSF"),
        (
            "/osf/download/index1/",
            b'{"a": {"size": 1, "md5": null}}',
            "is not a list of files: KeyError\\('osf_path'",
        ),
        (
            "/osf/download/index1/",
            b'{"a": {"osf_path": "/../x", "size": 1, "md5": null}}',
            "'/../x' is no place on OSF",
        ),
    ],
)
def test_a_malformed_list_of_osf_is_refused_in_words(host, tmp_path, page, body, words):
    host.put_osf()
    host.pages[page] = body
    with pytest.raises(ConnectionError, match=words):
        fetch(tmp_path, host="osf")


def test_a_listing_of_osf_that_never_ends_is_given_up(host, tmp_path):
    host.put_osf()
    host.put_listing(f"{NODE}?page=2", [], following=f"{host.url}{NODE}")
    with pytest.raises(ConnectionError, match=f"lists no {hosts.DATASET}"):
        fetch(tmp_path, host="osf")


@pytest.mark.parametrize(
    ("selection", "words"),
    [
        ({"subjects": "CR999"}, "no subject 'CR999' .* subjects are CR020, CR022"),
        ({"subjects": ["CR022", "CR1"]}, "no subject 'CR1'"),
        (
            {"subjects": "CR022", "sessions": "20191120"},
            "no session '20191120' .* sessions are 20201007, 20201011",
        ),
        ({"tasks": "rest"}, "no task 'rest' .* tasks are checkerboard, spontaneous"),
        ({"acqs": "slice99"}, "no acq 'slice99' .* acqs are slice01, slice03"),
        ({"tasks": []}, "list of tasks is empty. Leave it out for all"),
        ({"host": "figshare"}, "no host 'figshare'; the known ones are auto, object-store, osf"),
    ],
)
@pytest.mark.parametrize("again", [False, True])
def test_an_unknown_name_is_refused_with_the_known_ones(store, tmp_path, selection, words, again):
    if again:
        fetch(tmp_path, **ONE)
    with pytest.raises(ValueError, match=words):
        fetch(tmp_path, **selection)


def test_the_folder_is_the_arguments_then_the_variables_then_the_systems(
    store, tmp_path, monkeypatch
):
    import pooch

    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "system" / name)
    paths = [fetch_nunez_elizalde_2022(**ONE, verbose=0)[0]]
    monkeypatch.setenv(nunez_elizalde.VARIABLE, str(tmp_path / "variable"))
    paths.append(fetch_nunez_elizalde_2022(**ONE, verbose=0)[0])
    paths.append(fetch_nunez_elizalde_2022(**ONE, verbose=0, data_dir=tmp_path / "argument")[0])
    assert [path.parents[4].relative_to(tmp_path).as_posix() for path in paths] == [
        "system/partita",
        "variable",
        "argument",
    ]


def test_a_user_folder_is_expanded(store, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert fetch(Path("~/data"), **ONE)[0].is_relative_to(tmp_path / "data")


def test_the_amount_is_said_before_the_download_and_silence_can_be_had(store, tmp_path, capsys):
    fetch(tmp_path, **ONE)
    assert capsys.readouterr() == ("", "")
    fetch(tmp_path, verbose=1)
    words = capsys.readouterr().err
    assert "downloading 22 of 27 files, " in words
    assert "kB, from the object store to " in words
    assert words.splitlines()[1].startswith("download: ")
    assert words.count("\n") == 2
    fetch(tmp_path, verbose=1)
    assert capsys.readouterr() == ("", "")


def test_importing_the_room_and_its_fetcher_loads_no_network():
    code = (
        "import sys, partita.datasets; partita.datasets.fetch_nunez_elizalde_2022;"
        "heavy = {'pooch', 'requests', 'nibabel', 'matplotlib', 'sklearn'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True
    )
    assert done.stdout.strip() == "[]"
