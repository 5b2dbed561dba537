"""The dashboard in a browser: a real server, a real connection, the real command behind it."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kinestream.inference import save_model
from tests.random_models import random_model

aiohttp = pytest.importorskip("aiohttp")
pytest.importorskip("textual_serve")


@pytest.fixture
def page(tmp_path: Path) -> Iterator[str]:
    """The address of a served run."""
    save_model(tmp_path / "tiny.safetensors", random_model())
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["-m", "kinestream", "serve", "--port", str(port), "run", "wearer://?seed=1&speed=20"]
    command += ["--model", str(tmp_path / "tiny.safetensors"), "--policy", "battery:hours=2"]
    environment = {"KINESTREAM_CACHE": str(tmp_path / "cache"), "PATH": "/usr/bin:/bin"}
    process = subprocess.Popen([sys.executable, *command], env=environment, stdout=subprocess.DEVNULL)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    assert process.wait(20) == 0


async def first_page(client, page: str) -> str:
    """Return the page as soon as it is served."""
    for _ in range(300):
        try:
            async with client.get(page) as response:
                assert "fonts" not in response.headers["Content-Security-Policy"].replace("font-src", "")
                return await response.text()
        except aiohttp.ClientConnectorError:
            await asyncio.sleep(0.1)
    raise AssertionError("the page was never served")


async def test_a_browser_shows_the_dashboard_and_sends_keys_and_foreign_pages_are_rejected(page: str) -> None:
    async with aiohttp.ClientSession() as client:
        assert "textual" in await first_page(client, page)
        for origin in ("http://elsewhere.example", None):
            headers = {"Origin": origin} if origin else {}
            with pytest.raises(aiohttp.WSServerHandshakeError) as rejection:
                await client.ws_connect(f"{page}/ws", headers=headers)
            assert rejection.value.status == 403
        async with client.ws_connect(f"{page}/ws?width=120&height=40", headers={"Origin": page}) as terminal:
            await shows(terminal, "Acceleration")
            await terminal.send_str(json.dumps(["stdin", "p"]))
            await shows(terminal, "policy fixed")
            await terminal.send_str(json.dumps(["stdin", "q"]))
            async for _ in terminal:
                pass
        assert terminal.closed


async def shows(terminal, words: str) -> None:
    """Wait until these words have been sent to the screen."""
    sent = ""
    async with asyncio.timeout(40):
        while words not in sent:
            message = await terminal.receive()
            assert message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT), message
            sent += message.data.decode("utf-8", "replace") if isinstance(message.data, bytes) else message.data
