"""What tells that an image and its sidecar were saved together."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# How the header's description begins of images that Partita wrote.
MARK = "Partita"


def stamp_of(header: Any, fields: Mapping[str, Any]) -> str:
    """Return a digest of a header and the fields of its sidecar.

    Saves that differ in neither have one stamp; then nothing is wrong where they are mixed.
    """
    text = json.dumps(fields, sort_keys=True, ensure_ascii=False).encode(errors="surrogatepass")
    return hashlib.blake2b(header.binaryblock + text, digest_size=8).hexdigest()


def stamp_in(header: Any) -> str | None:
    """Return the stamp that an image bears; None where it has none."""
    words = bytes(header["descrip"]).rstrip(b"\0").decode("latin-1").split()
    return words[1] if len(words) == 2 and words[0] == MARK else None


def notes_on(header: Any, own: Any, sidecar: Path | None) -> list[str]:
    """Return what to tell the user of an image that lost its stamp since its sidecar was written.

    Raises
    ------
    ValueError
        If the two were saved at different times: a save was interrupted between them.
    """
    expected = own.get("Stamp") if isinstance(own, Mapping) else None
    found = stamp_in(header)
    if expected is None or found == expected:
        return []
    if found is not None:
        raise ValueError(
            f"The sidecar {sidecar} is not of the same save as its image, which was interrupted "
            "between the two: the values are older than what it says. Save the recording again, or "
            "move the sidecar away to load the image without it."
        )
    return [
        "the sidecar says what Partita saved, and the image is of another program: either that has "
        "written it since, or a save was interrupted, and the sidecar tells of other values."
    ]
