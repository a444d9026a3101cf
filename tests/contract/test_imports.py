"""Who may import whom: the contracts in pyproject.toml, checked without import-linter.

Imports are read from the syntax, so that those for type checkers alone and those inside functions
count like any other.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Callable, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
    "importlinter"
]["contracts"]

Imports = dict[str, set[str]]
Contract = dict[str, Any]


class Layer(NamedTuple):
    """Packages on one floor; siblings may see each other, or not."""

    members: list[str]
    optional: set[str]
    independent: bool


def read_imports(source: Path, package: str) -> Imports:
    """Return what each module of a package imports: modules of its own, top levels of others."""
    files = {name: path for path in source.rglob("*.py") for name in [name_of(path, source)]}
    modules = {f"{package}.{name}".rstrip(".") for name in files}
    return {
        f"{package}.{name}".rstrip("."): set(imports_of(path, f"{package}.{name}", modules))
        for name, path in files.items()
    }


def name_of(path: Path, source: Path) -> str:
    return ".".join(path.relative_to(source).with_suffix("").parts).removesuffix("__init__")


def imports_of(path: Path, module: str, modules: set[str]) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{base_of(node, module)}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (target for name in names if (target := resolve(name, modules)))


def base_of(node: ast.ImportFrom, module: str) -> str:
    """Return the package that names are taken from; `module` of a package ends in a dot."""
    if not node.level:
        return str(node.module)
    parents = module.split(".")[: -node.level]
    return ".".join([*parents, *([node.module] if node.module else [])])


def resolve(name: str, modules: set[str]) -> str:
    """Return the module that a dotted name leads to, without the class or function behind it."""
    top = name.split(".")[0]
    if top not in modules:
        return top
    while name not in modules:
        name = name.rpartition(".")[0]
    return name


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def matches(pattern: str, module: str) -> bool:
    """Tell whether `*` for one name, and `**` for one or more, make the pattern the module."""
    parts = {"*": r"[^.]+", "**": r".+"}
    return bool(
        re.fullmatch(r"\.".join(parts.get(p, re.escape(p)) for p in pattern.split(".")), module)
    )


def without_ignored(imports: Imports, contract: Contract) -> Imports:
    ignored = [line.split(" -> ") for line in contract.get("ignore_imports", [])]
    return {
        module: {
            target
            for target in targets
            if not any(matches(left, module) and matches(right, target) for left, right in ignored)
        }
        for module, targets in imports.items()
    }


def read_layer(line: str, container: str) -> Layer:
    names = [name.strip() for name in re.split(r"[|:]", line)]
    bare = [f"{container}.{name.strip('()')}".lstrip(".") for name in names]
    optional = {full for full, name in zip(bare, names, strict=True) if name.startswith("(")}
    return Layer(bare, optional, independent=":" not in line)


def broken_layers(contract: Contract, imports: Imports) -> Iterator[str]:
    """Give every import of a higher layer or an independent sibling, over other modules or not."""
    imports = without_ignored(imports, contract)
    for container in contract.get("containers", [""]):
        layers = [read_layer(line, container) for line in contract["layers"]]
        yield from missing_layers(layers, imports)
        if contract.get("exhaustive"):
            yield from homeless(container, layers, contract.get("exhaustive_ignores", []), imports)
        yield from climbs(layers, imports)


def missing_layers(layers: list[Layer], imports: Imports) -> Iterator[str]:
    for layer in layers:
        for member in layer.members:
            if member not in imports and member not in layer.optional:
                yield f"{member} is a layer, and there is no such module"


def homeless(
    container: str, layers: list[Layer], ignored: list[str], imports: Imports
) -> Iterator[str]:
    known = {member for layer in layers for member in layer.members}
    known |= {f"{container}.{name}" for name in ignored}
    for module in sorted(imports):
        if module.rpartition(".")[0] == container and module not in known:
            yield f"{module} is in no layer"


def climbs(layers: list[Layer], imports: Imports) -> Iterator[str]:
    floors = {
        member: (floor, layer) for floor, layer in enumerate(layers) for member in layer.members
    }
    for member, (floor, layer) in floors.items():
        higher = {other for other, (above, _) in floors.items() if above < floor}
        siblings = set(layer.members) - {member} if layer.independent else set()
        yield from chains(member, higher | siblings, set(floors), imports)


def chains(start: str, goals: set[str], rooms: set[str], imports: Imports) -> Iterator[str]:
    """Give a way from a package into each module of `goals`, through modules of no other room."""
    ways = {module: [module] for module in sorted(imports) if within(module, start)}
    queue = list(ways)
    for module in queue:
        for target in sorted(imports.get(module, ())):
            if target in ways:
                continue
            ways[target] = [*ways[module], target]
            if any(within(target, goal) for goal in goals):
                yield " -> ".join(ways[target])
            elif not any(within(target, room) for room in rooms):
                queue.append(target)


def broken_forbidden(contract: Contract, imports: Imports) -> Iterator[str]:
    """Give every forbidden import, and every way to one where indirect imports count."""
    imports = without_ignored(imports, contract)
    modules = sorted(imports)
    for pattern in contract["source_modules"]:
        sources = [module for module in modules if matches(pattern, module)]
        if not sources:
            yield f"{pattern} is a source, and there is no such module"
        for source in sources:
            if contract.get("allow_indirect_imports"):
                yield from forbidden_directly(source, contract["forbidden_modules"], imports)
            else:
                yield from chains(source, set(contract["forbidden_modules"]), set(), imports)


def forbidden_directly(source: str, forbidden: list[str], imports: Imports) -> Iterator[str]:
    for module in sorted(imports):
        for target in sorted(imports[module]) if within(module, source) else []:
            if any(within(target, goal) for goal in forbidden):
                yield f"{module} -> {target}"


def circles(contract: Contract, imports: Imports) -> Iterator[str]:
    """Give a circle among the modules and packages that lie side by side, in every package."""
    imports = without_ignored(imports, contract)
    for package in sorted(imports):
        if not any(
            matches(top, package) or matches(f"{top}.**", package) for top in contract["ancestors"]
        ):
            continue
        children = {module for module in imports if module.rpartition(".")[0] == package}
        seen = {
            child: {
                other
                for module in imports
                if within(module, child)
                for target in imports[module]
                for other in children - {child}
                if within(target, other)
            }
            for child in children
        }
        try:
            TopologicalSorter(seen).prepare()
        except CycleError as error:
            yield " -> ".join(reversed(error.args[1]))


KINDS: dict[str, Callable[[Contract, Imports], Iterator[str]]] = {
    "layers": broken_layers,
    "forbidden": broken_forbidden,
    "acyclic_siblings": circles,
}
KEYS = {
    "name", "type", "containers", "layers", "exhaustive", "exhaustive_ignores", "source_modules",
    "forbidden_modules", "allow_indirect_imports", "ignore_imports",
    "unmatched_ignore_imports_alerting", "ancestors",
}  # fmt: skip


@pytest.fixture(scope="module")
def imports() -> Imports:
    return read_imports(ROOT / "src" / "partita", "partita")


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract["name"])
def test_every_room_imports_only_what_it_may(contract, imports):
    assert list(KINDS[contract["type"]](contract, imports)) == []


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract["name"])
def test_nothing_in_a_contract_goes_unread(contract):
    assert contract["type"] in KINDS
    assert set(contract) <= KEYS


def test_the_imports_of_the_package_are_seen(imports):
    assert "numpy" in imports["partita._labels.stack"]
    assert sum(len(targets) for targets in imports.values()) > 500


MADE_UP = {
    "__init__.py": "",
    "roof/__init__.py": "from house import attic",
    "attic.py": "import house.hall.door\nfrom .cellar import wine",
    "hall/__init__.py": "",
    "hall/door.py": "from numpy import linalg\nfrom . import stairs",
    "hall/stairs.py": "from ..cellar import wine",
    "kitchen.py": "",
    "cellar.py": "wine = 1",
}
FLOORS = ["roof", "attic", "hall | kitchen", "(garage)", "cellar"]
HOUSE = {"type": "layers", "containers": ["house"], "layers": FLOORS, "exhaustive": True}


def build(folder: Path, **changes: str) -> Imports:
    for name, text in (MADE_UP | changes).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return read_imports(folder, "house")


def broken(contract: Contract, imports: Imports) -> list[str]:
    return list(KINDS[contract["type"]](contract, imports))


def test_a_house_in_order_breaks_nothing(tmp_path):
    imports = build(tmp_path)
    assert imports["house.attic"] == {"house.hall.door", "house.cellar"}
    assert imports["house.hall.door"] == {"numpy", "house.hall.stairs"}
    assert broken(HOUSE, imports) == []


@pytest.mark.parametrize(
    ("file", "text", "found"),
    [
        ("cellar.py", "import house.attic", "house.cellar -> house.attic"),
        ("cellar.py", "def f():\n    from house import roof", "house.cellar -> house.roof"),
        (
            "cellar.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .attic import beam",
            "house.cellar -> house.attic",
        ),
        ("kitchen.py", "from house.hall.door import key", "house.kitchen -> house.hall.door"),
        ("hall/stairs.py", "from .. import kitchen", "house.hall.stairs -> house.kitchen"),
        ("garden.py", "", "house.garden is in no layer"),
    ],
)
def test_a_climb_a_look_at_a_sibling_and_a_module_without_a_floor_are_found(
    tmp_path, file, text, found
):
    assert broken(HOUSE, build(tmp_path, **{file: text})) == [found]


def test_a_way_around_over_modules_of_no_layer_is_found(tmp_path):
    imports = build(
        tmp_path, **{"__init__.py": "from house.roof import tile", "cellar.py": "import house"}
    )
    assert broken(HOUSE, imports) == ["house.cellar -> house -> house.roof"]


def test_siblings_with_a_colon_may_see_each_other(tmp_path):
    imports = build(tmp_path, **{"kitchen.py": "import house.hall"})
    open_floor = [line.replace("|", ":") for line in FLOORS]
    assert broken(HOUSE | {"layers": open_floor}, imports) == []
    assert broken(HOUSE, imports) == ["house.kitchen -> house.hall"]


def test_a_layer_in_brackets_may_be_missing_and_no_other(tmp_path):
    floors = [line.strip("()") for line in FLOORS]
    assert broken(HOUSE | {"layers": floors}, build(tmp_path)) == [
        "house.garage is a layer, and there is no such module"
    ]


def test_every_container_is_looked_into(tmp_path):
    contract = {
        "type": "layers",
        "containers": ["house.hall", "house"],
        "layers": ["(door)", "(stairs)"],
    }
    imports = build(tmp_path, **{"hall/stairs.py": "from house.hall.door import key"})
    assert broken(contract, imports) == ["house.hall.stairs -> house.hall.door"]


def test_a_forbidden_import_is_found_directly_and_on_the_way(tmp_path):
    contract = {
        "type": "forbidden",
        "source_modules": ["house.attic"],
        "forbidden_modules": ["numpy"],
    }
    imports = build(tmp_path)
    assert broken(contract, imports) == ["house.attic -> house.hall.door -> numpy"]
    assert broken(contract | {"allow_indirect_imports": True}, imports) == []
    hall = contract | {"source_modules": ["house.hall"], "allow_indirect_imports": True}
    assert broken(hall, imports) == ["house.hall.door -> numpy"]


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        ("house.hall.door -> numpy", 0),
        ("house.hall.* -> numpy", 0),
        ("house.** -> *", 0),
        ("house.* -> numpy", 1),
        ("house.hall.door -> numpy.*", 1),
    ],
)
def test_imports_to_ignore_may_hold_wildcards(tmp_path, pattern, left):
    contract = {
        "type": "forbidden",
        "source_modules": ["house.hall"],
        "forbidden_modules": ["numpy"],
        "ignore_imports": [pattern],
    }
    assert len(broken(contract, build(tmp_path))) == left


def test_a_circle_is_found_between_modules_and_between_packages(tmp_path):
    contract = {"type": "acyclic_siblings", "ancestors": ["house"]}
    assert broken(contract, build(tmp_path)) == []
    imports = build(tmp_path, **{"hall/stairs.py": "def f():\n    from house.hall import door"})
    (found,) = broken(contract, imports)
    assert set(found.split(" -> ")) == {"house.hall.door", "house.hall.stairs"}
    (found,) = broken(contract, build(tmp_path, **{"hall/stairs.py": "import house.attic"}))
    assert set(found.split(" -> ")) == {"house.attic", "house.hall"}
