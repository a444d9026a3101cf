"""What Zarr does in a thread of its own, and goes on with when the caller was interrupted."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterator

from partita.io.unfinished import uninterrupted

_SECONDS = 10.0


@contextlib.contextmanager
def settled() -> Iterator[None]:
    """Where the block fails, wait for what is still written: it would make its folder anew."""
    try:
        yield
    except BaseException:
        with uninterrupted():
            _wait()
        raise


def _wait() -> None:
    loops = getattr(sys.modules.get("zarr.core.sync"), "loop", None)
    loop = loops[0] if loops else None
    if loop is not None and loop.is_running():
        with contextlib.suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(_others(), loop).result(_SECONDS)


async def _others() -> None:
    """End when all else that runs in the loop has ended."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others, timeout=_SECONDS)
