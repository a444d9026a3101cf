"""Draw the picture of the README and the first page: ``python docs/draw_components.py``."""

from __future__ import annotations

from pathlib import Path

import partita as pt


def draw(path: Path) -> None:
    truth = pt.datasets.simulate_fusi(n_components=6, random_state=4)
    signed = truth["recording"].pipe(pt.preprocess.zscore).pipe(pt.preprocess.split_sign)
    nmf = pt.NMF(n_components=12, random_state=0).fit(signed)
    figure = pt.plotting.plot_components(
        nmf, components=[0, 1, 2, 3], signs="merged", background=truth["power"]
    )
    figure.savefig(path, dpi=160)


if __name__ == "__main__":
    draw(Path(__file__).parent / "_static" / "components.png")
