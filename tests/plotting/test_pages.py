"""Components to turn over in a browser."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import zlib
from base64 import b64decode

import numpy as np
import pytest
import xarray as xr

import partita
from partita.plotting import view_components


def content(page):
    """Return the data that a page holds."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.html)
    return json.loads(found.group(1))


def unpacked(text, dtype, shape=-1):
    """Return numbers as the browser reads them."""
    return np.frombuffer(zlib.decompress(b64decode(text)), dtype).reshape(shape)


def weights(page):
    """Return the maps that a page holds, (component, slice, row, column)."""
    image = content(page)["image"]
    whole = unpacked(image["values"], "<i2", image["shape"]).astype(float)
    return np.where(whole == -32768, np.nan, whole * image["step"])


def test_a_page_holds_maps_and_courses(fusi):
    model = fusi(3)
    page = view_components(model)
    np.testing.assert_allclose(weights(page)[:, 0], model.maps_.squeeze("z"), atol=6e-4)
    course = content(page)["course"]
    np.testing.assert_allclose(unpacked(course["at"], "<f8"), model.signals_.time)
    values = unpacked(course["values"], "<f4", (3, 40))
    np.testing.assert_allclose(values, model.signals_.T, rtol=1e-6)
    assert (course["label"], course["unit"]) == ("Time [s]", "signal [mV]")
    image = content(page)["image"]
    assert image["rows"][:2] == ["y = 2.7 mm", "y = 2.75 mm"]
    assert image["ratio"] == pytest.approx(0.8 / 0.6)
    parts = content(page)["parts"]
    assert [part["share"] for part in parts] == ["alone 60.0 %", "alone 36.0 %", "alone 21.6 %"]


def test_volumes_open_where_a_part_peaks_and_stand_upright(fmri):
    fmri.maps_[1, 6] *= 9
    page = view_components(fmri)
    image = content(page)["image"]
    maps = weights(page)
    assert maps.shape == (2, 9, 11, 9)
    assert content(page)["parts"][1]["slice"] == 6
    assert image["slices"][6] == "z = 20 mm"
    assert (image["rows"][0], image["columns"][0]) == ("y = 50 mm", "x = \N{MINUS SIGN}40 mm")
    expected = fmri.maps_[1, 6].sortby("y", ascending=False).sortby("x").values
    np.testing.assert_allclose(maps[1, 6], expected, atol=6e-3)
    assert np.isnan(maps[0, 4, 0, 0])


def test_signs_are_merged_and_components_chosen(fusi):
    model = fusi(4, signs=True)
    page = view_components(model, components=[2, 0], theme="dark")
    assert [part["name"] for part in content(page)["parts"]] == ["2", "0"]
    image = content(page)["image"]
    assert image["limits"][0] == -image["limits"][1] < 0
    assert image["label"] == "map (positive − negative)"
    whole = content(view_components(model, theme="dark"))["image"]
    assert whole["limits"] == image["limits"]


def test_a_background_lies_where_it_does(fusi):
    model = fusi(1)
    fine = xr.DataArray(
        np.random.default_rng(0).random((24, 12)),
        dims=("y", "x"),
        coords={
            "y": ("y", 2.6875 + 0.025 * np.arange(24), {"units": "mm"}),
            "x": ("x", -0.4 + 0.1 * np.arange(12), {"units": "mm"}),
        },
    )
    with pytest.raises(ValueError, match="The background lies beside the map"):
        view_components(model, background=fine.assign_coords(x=fine.x + 90))
    grey = content(view_components(model, background=fine))["grey"]
    assert grey["shape"] == [1, 24, 12]
    assert grey["extent"] == pytest.approx([-0.0625, 1.4375, 0.0, 1.0], abs=1e-9)
    light = unpacked(grey["values"], "u1")
    assert (light.min(), light.max()) == (0, 255)
    model.maps_ = model.maps_.assign_coords(background=model.maps_[0].drop_vars("component"))
    assert content(view_components(model))["grey"]
    assert content(view_components(model, background=None))["grey"] is None


def test_features_are_bars_with_names(listed):
    model = listed(muscle=["a", "b", "c"])
    bars = content(view_components(model))["bars"]
    np.testing.assert_allclose(unpacked(bars["values"], "<f4", (3, 3)), model.maps_, rtol=1e-6)
    assert bars["names"] == ["muscle = a", "muscle = b", "muscle = c"]
    assert bars["limits"][0] == 0


def test_events_dates_and_gaps_are_laid_out(fusi):
    model = fusi(1)
    events = {"onset": [12.0, 15.0], "duration": [2.0, 1.0], "trial_type": ["a", "</script>"]}
    page = view_components(model, events=events, times=(11, 20))
    course = content(page)["course"]
    assert [span[:2] for span in course["spans"]] == [[12.0, 14.0], [15.0, 16.0]]
    assert [kind for kind, _ in course["kinds"]] == ["a", "</script>"]
    assert page.html.count("</script>") == 2
    days = np.datetime64("2020-01-01T10:00") + np.arange(40).astype("timedelta64[s]")
    model.signals_ = model.signals_.assign_coords(time=days)
    model.signals_[3] = np.nan
    course = content(view_components(model))["course"]
    assert course["words"][1] == "2020-01-01 10:00:01.000"
    assert np.isnan(unpacked(course["values"], "<f4")[3])


def test_large_maps_are_thinned_and_the_page_says_so(fusi, monkeypatch):
    monkeypatch.setattr("partita.plotting.pages._MOST_WEIGHTS", 100)
    page = view_components(fusi(2))
    assert content(page)["image"]["shape"] == [2, 1, 6, 4]
    assert content(page)["note"] == "One voxel of 2 is shown along y, x."


def test_a_page_needs_no_network_and_is_framed_in_a_notebook(fusi):
    page = view_components(fusi(2), title="A & <b>")
    assert not re.search(r"(src|href)=|https?://|url\(|import |fetch\(", page.html)
    assert "<title>A &amp; &lt;b&gt;</title>" in page.html
    frame = page._repr_html_()
    inside = re.fullmatch(
        r'<iframe srcdoc="([^"]*)" sandbox="allow-scripts" [^<]*></iframe>', frame
    )
    assert html.unescape(inside.group(1)) == page.html
    assert repr(page).startswith("<ComponentPage, 0.0 MB")


def test_a_page_is_saved_and_its_folder_made(fusi, tmp_path):
    page = view_components(fusi(2))
    path = page.save(tmp_path / "new" / "parts.html")
    assert path.read_text(encoding="utf-8") == page.html
    with pytest.raises(ValueError, match=r"name it 'parts\.html'"):
        page.save(tmp_path / "parts.pdf")


def test_a_page_replaces_pages_alone_unless_it_is_told_to(fusi, tmp_path):
    page, notes = view_components(fusi(1)), tmp_path / "notes.html"
    notes.write_text("<p>years of work", encoding="utf-8")
    with pytest.raises(FileExistsError, match=r"notes.html was not written by Partita.*a page"):
        page.save(notes)
    assert notes.read_text(encoding="utf-8") == "<p>years of work"
    page.save(notes, overwrite=True)
    assert page.save(notes).read_text(encoding="utf-8") == page.html


def test_what_cannot_be_laid_out_is_refused(fusi, listed):
    with pytest.raises(TypeError, match="view_components needs a fitted model"):
        view_components(partita.NMF)
    with pytest.raises(ValueError, match="There is no component 7"):
        view_components(fusi(2), components=7)
    with pytest.raises(ValueError, match="No component was asked for"):
        view_components(fusi(2), components=[])
    with pytest.raises(ValueError, match="vmin must lie below vmax"):
        view_components(fusi(2), vmin=2.0, vmax=1.0)
    with pytest.raises(ValueError, match="vmax must be a finite number"):
        view_components(listed(neuron=[1, 2]), vmax=np.inf)
    with pytest.raises(ValueError, match="view_components cannot slice along 'w'"):
        view_components(fusi(2), slice_dim="w")


_BROWSER = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))), None)


@pytest.mark.skipif(_BROWSER is None, reason="no browser on this machine")
def test_a_browser_shows_the_part_that_is_clicked_and_reads_a_voxel(fusi, tmp_path):
    model = fusi(3)
    page = view_components(model).html.replace(
        "</body>",
        """<script>setTimeout(() => {
          document.querySelectorAll("#parts button")[2].click();
          const map = document.getElementById("map"), box = map.getBoundingClientRect();
          const place = { clientX: box.left + 1, clientY: box.top + 1 };
          map.dispatchEvent(new MouseEvent("mousemove", place));
        }, 1000)</script></body>""",
    )
    path = tmp_path / "page.html"
    path.write_text(page, encoding="utf-8")
    seen = subprocess.run(
        [_BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000",
         f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", path.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    ).stdout  # fmt: skip
    assert 'data-shown="2"' in seen
    first = float(model.maps_[2, 0, 0, 0])
    text = re.search(r'<output id="voxel">y = 2.7 mm, x = −0.35 mm: ([^<]*)<', seen).group(1)
    assert float(text) == pytest.approx(first, abs=6e-4)
