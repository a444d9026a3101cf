"""Write the intersphinx inventories from names.toml, so that the site builds offline."""

from __future__ import annotations

import tomllib
from pathlib import Path

import sphobjinv

HERE = Path(__file__).parent


def write_inventory(project: str, entry: dict) -> None:
    inventory = sphobjinv.Inventory()
    inventory.project, inventory.version = project, ""
    for name, (kind, uri) in sorted(entry["names"].items()):
        domain, role = kind.split(":")
        inventory.objects.append(
            sphobjinv.DataObjStr(
                name=name, domain=domain, role=role, priority="1", uri=uri, dispname="-"
            )
        )
    packed = sphobjinv.compress(inventory.data_file())
    sphobjinv.writebytes(HERE / f"{project}.inv", packed)


if __name__ == "__main__":
    for project, entry in tomllib.loads((HERE / "names.toml").read_text(encoding="utf-8")).items():
        write_inventory(project, entry)
