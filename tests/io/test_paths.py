"""Which files a name stands for, in which order."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import partita
from partita.io.paths import natural_key


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path, frames):
    np.save(tmp_path / "a[1].npy", frames)
    np.testing.assert_array_equal(partita.load(tmp_path / "a[1].npy", frame_rate=1), frames)


def test_names_are_ordered_as_people_count():
    names = ["b.tif", "frame10.tif", "Frame2.tif", "frame1_10.tif", "frame1_9.tif", "a.tif"]
    ordered = sorted(map(Path, names), key=natural_key)
    assert [path.name for path in ordered] == [
        "a.tif", "b.tif", "frame1_9.tif", "frame1_10.tif", "Frame2.tif", "frame10.tif",
    ]  # fmt: skip
