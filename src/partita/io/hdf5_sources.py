"""Where the values of an HDF5 file come from: links, virtual data sets and external storage."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from partita.io.hdf5_coverage import blocks_in, covered, fits, n_uncovered

# Links to links, and virtual data sets of virtual data sets, end here.
_DEEPEST = 16


class Hdf5Tree(NamedTuple):
    """What is in an HDF5 file.

    ``arrays`` are its data sets under the first of their names, ``aliases`` the same under others;
    ``unreachable`` says by name why a link cannot be followed.
    """

    arrays: dict[str, Any]
    aliases: dict[str, Any]
    groups: dict[str, Any]
    unreachable: dict[str, str]


def tree_of(file: Any, path: Path, *, external: bool) -> Hdf5Tree:
    """Return the data sets and groups of a file, links followed.

    Parameters
    ----------
    file : h5py.File
        Open.
    path : pathlib.Path
        Where it is.
    external : bool
        Whether links may lead to files outside its folder.
    """
    tree = Hdf5Tree({}, {}, {"/": file}, {})
    seen = {_identity(file)}
    waiting: list[tuple[str, Any]] = [("", file)]
    while waiting:
        above, group = waiting.pop(0)
        for name, node in _members(group, above, path, tree, external=external):
            here = f"{above}/{name}"
            known, is_array = _identity(node) in seen, isinstance(node, h5py.Dataset)
            seen.add(_identity(node))
            if is_array:
                (tree.aliases if known else tree.arrays)[here] = node
            elif isinstance(node, h5py.Group) and not known:
                tree.groups[here] = node
                waiting.append((here, node))
    return tree


def _members(
    group: Any, above: str, path: Path, tree: Hdf5Tree, *, external: bool
) -> Iterator[tuple[str, Any]]:
    """Yield what a group holds, what is really in it first, then what links lead to."""
    links = {name: group.get(name, getlink=True) for name in group}
    hard = [name for name, link in links.items() if isinstance(link, h5py.HardLink)]
    for name in (*hard, *(name for name in links if name not in hard)):
        why = _unreachable(links[name], group, path, external=external)
        if why:
            tree.unreachable[f"{above}/{name}"] = why
        else:
            yield name, group[name]


def _unreachable(
    link: Any, group: Any, path: Path, *, external: bool, depth: int = 0
) -> str | None:
    """Return why a link leads nowhere, or not where it may."""
    if isinstance(link, h5py.ExternalLink):
        folder = Path(group.file.filename).parent
        return _unreadable(Path(link.filename), folder, path, external=external) or (
            _not_in(_found(Path(link.filename), folder), link.path)
        )
    if not isinstance(link, h5py.SoftLink):
        return None
    if depth > _DEEPEST:
        return f"{path} has links that lead in a circle ({link.path})."
    steps, node = link.path.strip("/").split("/"), group.file if link.path[:1] == "/" else group
    for step in steps:
        if not isinstance(node, h5py.Group) or step not in _names(node):
            return f"{path} has a link to {link.path}, and there is nothing."
        inner = node.get(step, getlink=True)
        why = _unreachable(inner, node, path, external=external, depth=depth + 1)
        if why:
            return why
        node = node[step]
    return None


def _names(group: Any) -> set[str]:
    return {".", *group}


def _not_in(file: Path, name: str) -> str | None:
    try:
        with h5py.File(file, "r") as opened:
            return None if name in opened else f"{file} is linked to, and has no {name}."
    except OSError as error:
        return f"{file} is linked to, and cannot be read as HDF5 ({error})."


def refuse_sources(array: Any, path: Path, *, external: bool, depth: int = 0) -> None:
    """Refuse a data set whose values are partly missing, or in files that may not be read.

    Parameters
    ----------
    array : h5py.Dataset
        In an open file.
    path : pathlib.Path
        The file that the user named.
    external : bool
        Whether files outside its folder may be read.

    Raises
    ------
    OSError
        If a file that it is made of is missing or too short, or a part of it is in none; otherwise
        it would read as zeros. A fill value of NaN says of a part that it is missing.
    PermissionError
        If one lies outside the folder of `path`.
    """
    own = Path(array.file.filename)
    refuse(_outside(own, path, external=external))
    for name, offset, size in array.external or ():
        raw = Path(os.fsdecode(name))
        refuse(_unreadable(raw, own.parent, path, external=external))
        _refuse_short(_found(raw, own.parent), offset, size, path)
    if not array.is_virtual:
        return
    if depth > _DEEPEST:
        raise OSError(f"{path} has virtual data sets that are made of each other. Copy it again.")
    known: dict[tuple[str, str], tuple[int, ...]] = {}
    regions = []
    for mapping in array.virtual_sources():
        shapes = []
        for one in _numbered(array, mapping):
            if one not in known:
                known[one] = _source_shape(array, *one, path, external=external, depth=depth)
            if not fits(mapping, known[one]):
                raise OSError(
                    f"{path} is made of {one[1]} in {one[0]}, which has not the sizes that are "
                    f"taken from it, but {known[one]}. Copy that again."
                )
            shapes.append(known[one])
        regions += covered(mapping, shapes, array.shape)
    _refuse_uncovered(array, n_uncovered(regions, array.shape), path)


def _refuse_uncovered(array: Any, n: int, path: Path) -> None:
    """Refuse values that nobody gave, unless they read as what is missing."""
    is_nan = array.dtype.kind == "f" and np.isnan(array.fillvalue)
    if n and not is_nan:
        raise OSError(
            f"{path} is made of other data sets, and {n} of the {array.size} values of "
            f"{array.name} are in none of them: they would read as {array.fillvalue}. Write it "
            "again with all its parts, or with fillvalue=numpy.nan."
        )


def refuse_outside(file: Any, path: Path, *, external: bool) -> None:
    """Refuse a NetCDF file of which any part lies elsewhere, unless that is allowed.

    Raises
    ------
    OSError
        As `refuse_sources`.
    """
    tree = tree_of(file, path, external=external)
    for why in tree.unreachable.values():
        refuse(why)
    for array in (*tree.arrays.values(), *tree.aliases.values()):
        if array.external and not external:  # the library looks for it where the process works
            refuse(outside_words(Path(os.fsdecode(array.external[0][0])), path))
        refuse_sources(array, path, external=external)


def _source_shape(
    array: Any, file_name: str, name: str, path: Path, *, external: bool, depth: int
) -> tuple[int, ...]:
    """Return the sizes of a source, after what may be refused of it was."""
    own = Path(array.file.filename)
    if file_name == ".":
        if name not in array.file:
            raise OSError(f"{path} is made of {name} in itself, which is not there. Copy it again.")
        return _whole_shape(array.file[name], path, external=external, depth=depth)
    refuse(_unreadable(Path(file_name), own.parent, path, external=external))
    found = _found(Path(file_name), own.parent)
    refuse(_not_in(found, name))
    with h5py.File(found, "r") as file:
        return _whole_shape(file[name], path, external=external, depth=depth)


def _whole_shape(source: Any, path: Path, *, external: bool, depth: int) -> tuple[int, ...]:
    if not isinstance(source, h5py.Dataset):
        raise OSError(f"{path} takes values from {source.name}, which is no data set.")
    refuse_sources(source, path, external=external, depth=depth + 1)
    shape: tuple[int, ...] = source.shape
    return shape


def _numbered(array: Any, mapping: Any) -> Iterator[tuple[str, str]]:
    """Yield the files and data sets that a mapping names: all that numbers in names stand for.

    The library reads as far as the numbers go on without a gap, and what follows would be lost.
    """
    file_name, name = mapping.file_name, mapping.dset_name
    n_blocks = 1
    if _has_number(file_name) or _has_number(name):
        if _has_number(file_name):
            folder = Path(array.file.filename).parent
            numbers = _numbers(file_name, _files_like(file_name, folder))
        else:
            numbers = _numbers(name.strip("/"), _names_in(array, _with(file_name, "0")))
        n_blocks = max(1, blocks_in(mapping.vspace, array.shape), *(n + 1 for n in numbers))
    for number in map(str, range(n_blocks)):
        yield _with(file_name, number), _with(name, number)


def _has_number(name: str) -> bool:
    return "%b" in name.replace("%%", "")


def _with(name: str, number: str, literal: Callable[[str], str] = str) -> str:
    """Return a name with something in the place of its number; ``%%`` stands for ``%``."""
    pieces = re.findall("%[%b]|[^%]+|%", name)
    return "".join(number if one == "%b" else literal(one.replace("%%", "%")) for one in pieces)


def _numbers(name: str, candidates: Iterable[str]) -> list[int]:
    """Return the numbers with which a name is among candidates."""
    fits = re.compile(_with(name, r"(\d{1,9})", re.escape))
    found = [(one, fits.fullmatch(one)) for one in candidates]
    return [int(m[1]) for one, m in found if m and one == _with(name, str(int(m[1])))]


def _files_like(name: str, folder: Path) -> list[str]:
    """Return the files that may be meant by a name with a number, as that name writes them."""
    beside = folder / Path(name).name
    ours = glob.glob(_with(str(beside), "*", glob.escape)) if Path(name).is_absolute() else []
    named = glob.glob(_with(name, "*", glob.escape), root_dir=folder)
    return [*named, *(str(Path(name).parent / Path(one).name) for one in ours)]


def _names_in(array: Any, file_name: str) -> list[str]:
    names: list[str] = []
    found = _found(Path(file_name), Path(array.file.filename).parent)
    if file_name == ".":
        array.file.visit(names.append)
    elif found.is_file():
        with h5py.File(found, "r") as file:
            file.visit(names.append)
    return names


def refuse(why: str | None) -> None:
    """Raise what was found, if anything was (OSError)."""
    if why is not None:
        raise (PermissionError if "allow_external" in why else OSError)(why)


def _refuse_short(found: Path, offset: int, size: int, path: Path) -> None:
    there = found.stat().st_size
    if size != h5py.h5f.UNLIMITED and offset + size > there:
        raise OSError(
            f"{path} keeps its values in {found}, which has {there} bytes, and {offset + size} are "
            "needed. Copy that again."
        )


def _unreadable(named: Path, folder: Path, path: Path, *, external: bool) -> str | None:
    """Return why a file that another one names is not read."""
    found = _found(named, folder)
    if not found.is_file():
        return (
            f"{path} takes values from {named}, and there is no such file beside it. Put it into "
            f"{folder}."
        )
    return _outside(found, path, external=external)


def _found(named: Path, folder: Path) -> Path:
    """Return where a file is: as it is named, else beside the one that names it."""
    beside = folder / named
    return beside if beside.is_file() or not named.is_absolute() else folder / named.name


def _outside(found: Path, path: Path, *, external: bool) -> str | None:
    folders = (path.parent.resolve(), path.resolve().parent)
    if external or any(folder in found.resolve().parents for folder in folders):
        return None
    return outside_words(found, path)


def outside_words(found: Path, path: Path) -> str:
    """Return what to say of a file that takes values from outside its folder."""
    return (
        f"{path} takes values from {found}, outside its own folder, so that any file of yours "
        "would be read. Where you know that they belong together: partita.load(path, "
        "allow_external=True)."
    )


def is_outside(found: Path, path: Path) -> bool:
    """Tell whether a file lies outside the folder of another one, and of what that links to."""
    return _outside(found, path, external=False) is not None


def opened_array(file: Any, name: str) -> Any:
    """Return a data set whose external storage is looked for beside its own file."""
    array = file[name]
    if not array.external:
        return array
    folder = Path(array.file.filename).parent
    if not all((folder / os.fsdecode(one[0])).is_file() for one in array.external):
        return array
    access = h5py.h5p.create(h5py.h5p.DATASET_ACCESS)
    access.set_efile_prefix(os.fsencode(folder.resolve()))
    del array  # what is open keeps its own prefix
    return h5py.Dataset(h5py.h5d.open(file.id, name.encode(), access))


def _identity(node: Any) -> tuple[int, int]:
    about = h5py.h5o.get_info(node.id)
    return about.fileno, about.addr
