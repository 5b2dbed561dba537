"""The dashboard in a browser: a real server, a real connection, the real command behind it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from kinestream.inference import save_model
from tests.random_models import random_model

aiohttp = pytest.importorskip("aiohttp")
pytest.importorskip("textual_serve")


class Served:
    """A running ``kinestream serve`` and the address that it printed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.opened = folder / "opened"
        save_model(folder / "tiny.safetensors", random_model())
        # This "browser" notes its command line, as all users of the machine see it, and the page.
        browser = folder / "browser.py"
        browser.write_text(
            "import sys, os, urllib.parse\n"
            "page = urllib.parse.urlsplit(sys.argv[1]).path\n"
            "modes = oct(os.stat(page).st_mode & 0o77) + oct(os.stat(os.path.dirname(page)).st_mode & 0o77)\n"
            f"open({str(self.opened) + '.part'!r}, 'w').write(sys.argv[1] + chr(10) + modes + open(page).read())\n"
            f"os.rename({str(self.opened) + '.part'!r}, {str(self.opened)!r})\n"
        )
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        command = ["-m", "kinestream", "serve", "--port", str(self.port), "run", "wearer://?seed=1&speed=20"]
        command += ["--model", str(folder / "tiny.safetensors"), "--policy", "battery:hours=2"]
        environment = {
            "KINESTREAM_CACHE": str(folder / "cache"),
            "PATH": "/usr/bin:/bin",
            "BROWSER": f"{sys.executable} {browser} %s",
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        }
        self.process = subprocess.Popen(
            [sys.executable, *command],
            env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()
        self.secret = urlsplit(self.address).path.strip("/")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = Served(tmp_path_factory.mktemp("served"))
    yield served
    served.process.terminate()
    printed, said = served.process.communicate(timeout=20)
    assert served.process.returncode == 0
    assert printed == ""
    assert "Traceback" not in said


async def status(client, address: str, **headers: str) -> int:
    async with client.get(address, headers=headers, allow_redirects=False) as response:
        return response.status


async def refusal(client, address: str, **headers: str) -> int:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await client.ws_connect(address, headers=headers)
    return refused.value.status


async def test_only_who_knows_the_address_reaches_the_server(served: Served) -> None:
    assert re.fullmatch(rf"http://127\.0\.0\.1:{served.port}/[A-Za-z0-9_-]{{32,}}/", served.address)
    root = f"http://127.0.0.1:{served.port}"
    async with aiohttp.ClientSession() as client:
        for path in ("", "/", "/ws", "/static/js/textual.js", "/guess/", "/guess/ws", f"/{served.secret[:-1]}/",
                     f"/{served.secret}x/ws", "/%C3%A9/", "//", "/download"):  # fmt: skip
            assert await status(client, root + path) in (403, 404), path
            assert await refusal(client, root + path, Origin=root) in (403, 404), path
        assert await status(client, f"{root}/download/guess") == 404
        async with client.get(served.address) as page:
            assert page.status == 200
            assert "fonts" not in page.headers["Content-Security-Policy"].replace("font-src", "")
            assert page.headers["Referrer-Policy"] == "no-referrer"
        assert await status(client, f"{served.address}static/js/textual.js") == 200
        assert await status(client, f"{served.address}static/") in (403, 404)


async def test_the_page_of_another_origin_and_another_host_are_rejected(served: Served) -> None:
    root = f"http://127.0.0.1:{served.port}"
    async with aiohttp.ClientSession() as client:
        for origin in ("http://elsewhere.example", "null", f"http://127.0.0.1:{served.port + 1}"):
            assert await refusal(client, f"{served.address}ws", Origin=origin) == 403
        assert await refusal(client, f"{served.address}ws") == 403
        for host in ("elsewhere.example", f"elsewhere.example:{served.port}", "10.0.0.1", "127.0.0.1.example", "["):
            assert await status(client, served.address, Host=host) in (400, 403), host
            assert await refusal(client, f"{served.address}ws", Host=host, Origin=root) in (400, 403), host


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]", "localhost:tunnel"])
async def test_every_name_of_this_machine_and_a_tunnel_open_the_dashboard(served: Served, name: str) -> None:
    if name == "[::1]" and not _has_ipv6():
        pytest.skip("this machine has no ::1")
    async with aiohttp.ClientSession() as client, await tunnel(served.port) as tunnelled:
        port = served.port
        if name.endswith(":tunnel"):
            name, port = "localhost", tunnelled.sockets[0].getsockname()[1]
        async with client.get(f"http://{name}:{port}/{served.secret}/") as page:
            text = await page.text()
        ends = re.findall(r'data-session-websocket-url="([^"]*)"', text)
        assert ends == [f"ws://{name}:{port}/{served.secret}/ws"]
        assert f'src="http://{name}:{port}/{served.secret}/static/js/textual.js"' in text
        if port != served.port:
            async with client.ws_connect(ends[0], headers={"Origin": f"http://{name}:{port}"}) as terminal:
                await shows(terminal, "Acceleration")


async def tunnel(port: int) -> asyncio.Server:
    """A forwarder to a local port, as ``ssh -L`` makes one."""

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)

        async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            while block := await source.read(65536):
                target.write(block)
            target.close()

        await asyncio.gather(copy(reader, there_writer), copy(there_reader, writer), return_exceptions=True)

    return await asyncio.start_server(forward, "127.0.0.1", 0)


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


async def test_a_page_sends_keys_and_names_no_files_and_runs_no_code(served: Served) -> None:
    ran = served.folder / "ran"
    own = served.folder / "own.py"
    own.write_text(f"open({str(ran)!r}, 'w')\ndef decide(state, table):\n    return table.front[0].subnet\n")
    before = {path.name for path in served.folder.iterdir()}
    origin = f"http://127.0.0.1:{served.port}"
    async with (
        aiohttp.ClientSession() as client,
        client.ws_connect(f"{served.address}ws?width=160&height=50", headers={"Origin": origin}) as terminal,
    ):
        await shows(terminal, "Acceleration")
        await send(terminal, "p")
        await shows(terminal, "policy fixed")
        await send(terminal, "e")
        await shows(terminal, "type a value")
        await send(terminal, "\r")
        await shows(terminal, "enter confirms")
        await send(terminal, "own.py")  # replaces the text, which is selected
        await shows(terminal, "own.py")
        await send(terminal, "\r")
        await shows(terminal, "names no files")
        await send(terminal, "w")
        download = await delivery(terminal)
        async with client.get(f"{origin}/download/{download}") as response:
            text = await response.text()
            assert text.startswith("# A kinestream policy: kinestream run SOURCE --policy THIS_FILE\n")
            assert 'kind = "fixed"\n' in text
            assert "policy.toml" in response.headers["Content-Disposition"]
        await send(terminal, "s")
        async with client.get(f"{origin}/download/{await delivery(terminal)}") as response:
            assert (await response.text()).startswith("<svg")
        assert await status(client, f"{origin}/download/{download}") == 404, "a download works once"
        await send(terminal, "q")
        async for _ in terminal:
            pass
        assert terminal.closed
    assert not ran.exists()
    assert {path.name for path in served.folder.iterdir()} <= before | {"opened", "opened.part", "cache"}


async def test_the_browser_opens_a_private_page_and_its_command_line_holds_no_secret(served: Served) -> None:
    for _ in range(200):
        if served.opened.exists():
            break
        await asyncio.sleep(0.05)
    command_line, page = served.opened.read_text().split("\n", 1)
    assert served.secret not in command_line
    assert page.startswith("0o00o0"), "other users can read neither the page nor its folder"
    assert served.address in page
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert served.secret.encode() not in process.read_bytes()
        except OSError:
            continue


def test_a_port_of_somebody_else_is_refused_at_either_address(served: Served, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "kinestream", "serve", "--port"]
    taken = subprocess.run([*command, str(served.port), "demo"], capture_output=True, text=True, check=False)
    assert (taken.returncode, taken.stdout) == (2, "")
    assert "cannot listen on port" in taken.stderr
    assert taken.stderr.count("\n") == 1
    if _has_ipv6():
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as foreign:
            port = str(foreign.getsockname()[1])
            taken = subprocess.run([*command, port, "demo"], capture_output=True, text=True, check=False)
        assert taken.returncode == 2, "a browser may try ::1 first for localhost, and would show it the secret"


async def send(terminal, *keys: str) -> None:
    for key in keys:
        await terminal.send_str(json.dumps(["stdin", key]))


async def shows(terminal, words: str) -> None:
    """Wait until these words have been sent to the screen."""
    sent = ""
    try:
        async with asyncio.timeout(40):
            while words not in sent:
                message = await terminal.receive()
                assert message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT), message
                text = message.data.decode("utf-8", "replace") if isinstance(message.data, bytes) else message.data
                sent += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    except TimeoutError:
        raise AssertionError(f"{words!r} not in {sent!r}") from None


async def delivery(terminal) -> str:
    """Wait until the page is asked to download a file, and return the file's key."""
    async with asyncio.timeout(15):
        while True:
            message = await terminal.receive()
            assert message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT), message
            if isinstance(message.data, str) and "deliver_file_start" in message.data:
                return json.loads(message.data)[1]
