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
    """The address of a served demo."""
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


async def opened(client, page: str) -> str:
    """The page, as soon as it is served."""
    for _ in range(300):
        try:
            async with client.get(page) as response:
                assert "fonts" not in response.headers["Content-Security-Policy"].replace("font-src", "")
                return await response.text()
        except aiohttp.ClientConnectorError:
            await asyncio.sleep(0.1)
    raise AssertionError("never served")


async def test_a_browser_sees_the_dashboard_and_its_keys_reach_it_and_other_pages_get_nothing(page: str) -> None:
    async with aiohttp.ClientSession() as client:
        assert "textual" in await opened(client, page)
        for origin in ("http://elsewhere.example", None):
            headers = {"Origin": origin} if origin else {}
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await client.ws_connect(f"{page}/ws", headers=headers)
            assert refused.value.status == 403
        async with client.ws_connect(f"{page}/ws?width=120&height=40", headers={"Origin": page}) as terminal:
            await seen(terminal, "Acceleration")
            await terminal.send_str(json.dumps(["stdin", "p"]))
            await seen(terminal, "policy fixed")
            await terminal.send_str(json.dumps(["stdin", "q"]))
            async for _ in terminal:
                pass
        assert terminal.closed


async def seen(terminal, words: str) -> None:
    """Until the screen has been sent these words."""
    sent = ""
    async with asyncio.timeout(40):
        while words not in sent:
            message = await terminal.receive()
            assert message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT), message
            sent += message.data.decode("utf-8", "replace") if isinstance(message.data, bytes) else message.data
