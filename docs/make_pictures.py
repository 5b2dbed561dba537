"""Make the pictures of the dashboard that the README and docs/dashboard.md show.

    pip install '.[picture]' && python docs/make_pictures.py

The built-in wearer moves; the battery is set lower in steps, and the policy shrinks the network. The frames become one
animated GIF, the third of them a PNG. Nothing is drawn by hand.
"""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import resvg_py  # pyright: ignore[reportMissingImports]
from PIL import Image

from kinestream import RunOptions, build_run
from kinestream.dashboard import DashboardApp

FOLDER = Path(__file__).with_name("images")
SIZE = 120, 40
WIDTH_PX = 1000
FONT = "DejaVu Sans Mono"
BATTERY = (None, 0.8, 0.5, 0.3, 0.15, 0.05)
"""Charge set before each frame; None: left as it is."""
FRAME_S, SHOWN_MS = 3.0, 1500


async def frames() -> list[Image.Image]:
    """Run the demo in an unseen terminal, and take a picture of each state of the battery."""
    options = RunOptions(
        "wearer://?seed=1&loss=0.005",
        policy="battery:hours=2",
        battery="simulated:capacity_j=35,base_mw=2",
        deadline_ms=2.0,
        all_subnets=True,
    )
    session = build_run(options)
    app = DashboardApp(session)
    taken: list[Image.Image] = []
    async with app.run_test(size=SIZE) as pilot:
        playback = session.playback
        assert playback is not None
        playback.speed = 8.0
        await asyncio.sleep(4.0)  # the traces and the episodes fill
        for charge in BATTERY:
            if charge is not None:
                session.set_battery(charge)
            await asyncio.sleep(FRAME_S)
            app.tick()
            await pilot.pause()
            taken.append(picture(app.export_screenshot()))
        await app.action_quit()
    return taken


def picture(svg: str) -> Image.Image:
    """The terminal's SVG as pixels."""
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=WIDTH_PX, font_family=FONT, monospace_family=FONT))
    return Image.open(io.BytesIO(png)).convert("RGB").quantize(48, dither=Image.Dither.NONE)


def main() -> None:
    taken = asyncio.run(frames())
    taken[2].save(FOLDER / "dashboard.png", optimize=True)
    taken[0].save(FOLDER / "dashboard.gif", save_all=True, append_images=taken[1:], duration=SHOWN_MS, loop=0)
    for name in ("dashboard.png", "dashboard.gif"):
        print(f"{name}: {(FOLDER / name).stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
