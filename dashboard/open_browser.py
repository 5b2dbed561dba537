"""Opens a secret address in the user's browser without showing it to the other users of this machine."""

from __future__ import annotations

import html
import os
import sys
import threading
import webbrowser
from collections.abc import Mapping
from pathlib import Path

from kinestream.core.private_file import private_opener

_SCREENS = ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")


def has_browser(environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether a browser can open beside the terminal: there is a screen, or the user names a browser.

    >>> has_browser({"BROWSER": "firefox"})
    True
    """
    return sys.platform in ("darwin", "win32") or any(environment.get(name) for name in _SCREENS)


def open_browser(address: str, folder: Path) -> None:
    """Open an address in the user's browser, in the background.

    Commands and their arguments are visible to all users of a machine. The browser therefore gets the name of a page
    that only this user can read, and the page leads to the address.

    Args:
        folder: readable by this user only; it must remain until the browser has read the page.
    """
    page = folder / "kinestream.html"
    target = html.escape(address, quote=True)
    content = (
        f'<!DOCTYPE html><meta charset="utf-8"><meta name="referrer" content="no-referrer">'
        f'<meta http-equiv="refresh" content="0; url={target}"><a href="{target}">kinestream</a>\n'
    )
    with open(page, "x", encoding="utf-8", opener=private_opener) as file:
        file.write(content)
    # A browser in the foreground would hold up the server.
    threading.Thread(target=webbrowser.open, args=(page.as_uri(),), daemon=True).start()
