"""Key files that only their owner can read, and sockets that admit only known keys."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from kinestream.core.errors import ConfigError, DataDamaged
from kinestream.ingest import ZmqPublisher, ZmqSource
from kinestream.ingest.zmq.address import ZmqAddress
from kinestream.ingest.zmq.curve_keys import Keys, keys_for, new_keys, trust
from tests.ingest.zmq.test_zmq import PATIENCE_S, bits, chunk


@pytest.fixture
def pairs(tmp_path: Path) -> tuple[Path, Path]:
    """The key folders of two machines that trust each other."""
    receiver, wrist = tmp_path / "receiver", tmp_path / "wrist"
    theirs, ours = new_keys(receiver), new_keys(wrist)
    trust(receiver, "wrist", ours.public.decode())
    trust(wrist, "receiver", str(receiver / "kinestream.key"))
    assert theirs.public != ours.public
    return receiver, wrist


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX file permissions")
def test_only_the_owner_can_read_the_secret_key(tmp_path: Path) -> None:
    before = os.umask(0)  # without a mask, new files are open to all users
    try:
        new_keys(tmp_path / "keys")
    finally:
        os.umask(before)
    assert {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "keys").iterdir()} == {
        "kinestream.key": 0o600,
        "kinestream.key_secret": 0o600,
        "known": 0o700,
    }
    (tmp_path / "keys" / "kinestream.key_secret").chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        Keys.load(tmp_path / "keys")


def test_keys_are_loaded_from_their_files_and_the_secret_is_not_printed(pairs: tuple[Path, Path]) -> None:
    keys = Keys.load(pairs[1])
    assert keys.known == {"receiver": Keys.load(pairs[0]).public}
    assert keys.secret.decode() not in repr(keys)
    assert keys.server_key(None) == keys.server_key("receiver")
    with pytest.raises(ConfigError, match="no key named 'other'"):
        keys.server_key("other")
    trust(pairs[1], "second", Keys.load(pairs[1]).public.decode())
    with pytest.raises(ConfigError, match=r"2 known keys .* \?server=NAME"):
        Keys.load(pairs[1]).server_key(None)


def test_a_key_pair_is_never_overwritten(tmp_path: Path) -> None:
    before = new_keys(tmp_path)
    with pytest.raises(ConfigError, match="already exists"):
        new_keys(tmp_path)
    assert Keys.load(tmp_path).secret == before.secret


def test_an_invalid_key_is_rejected(tmp_path: Path) -> None:
    for key in ("short", "x" * 40 + " ", "~" * 40, str(tmp_path / "missing")):
        with pytest.raises(ConfigError, match="neither a key of 40 characters nor a file"):
            trust(tmp_path, "wrist", key)
    (tmp_path / "note.key").write_text("no key\n")
    with pytest.raises(DataDamaged, match="does not hold a CURVE key"):
        trust(tmp_path, "wrist", str(tmp_path / "note.key"))
    with pytest.raises(ConfigError, match="cannot name a key"):
        trust(tmp_path, "../wrist", "x" * 40)


@pytest.mark.parametrize("uri", ["tcp://0.0.0.0:5556", "tcp://sensor.example:5556", "tcp://127.0.0.1:1,10.0.0.1:1"])
def test_an_address_beyond_this_machine_requires_keys_unless_insecure(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KINESTREAM_KEYS", str(tmp_path))
    with pytest.raises(ConfigError, match=r"reaches beyond this machine.*kinestream keys new.*--insecure"):
        keys_for(ZmqAddress.parse(uri))
    assert keys_for(ZmqAddress.parse(uri, insecure=True)) is None
    assert keys_for(ZmqAddress.parse(f"{uri}?insecure=1")) is None
    new = new_keys(tmp_path)
    keys = keys_for(ZmqAddress.parse(uri))
    assert keys is not None
    assert keys.public == new.public


def test_a_local_address_uses_keys_only_if_it_names_them(pairs: tuple[Path, Path]) -> None:
    assert keys_for(ZmqAddress.parse("tcp://127.0.0.1:5556")) is None
    assert keys_for(ZmqAddress.parse(f"tcp://127.0.0.1:5556?keys={pairs[0]}")) is not None


def test_a_server_without_known_keys_is_rejected(tmp_path: Path) -> None:
    new_keys(tmp_path)
    with pytest.raises(ConfigError, match="no machine could connect"):
        ZmqPublisher(f"tcp://127.0.0.1:0?keys={tmp_path}")


async def test_only_a_client_with_a_known_key_gets_the_samples(pairs: tuple[Path, Path], tmp_path: Path) -> None:
    receiver, wrist = pairs
    stranger = tmp_path / "stranger"
    new_keys(stranger)
    trust(stranger, "wrist", Keys.load(wrist).public.decode())
    sent = [chunk(seq) for seq in range(0, 100, 25)]
    async with asyncio.timeout(PATIENCE_S), ZmqPublisher(f"tcp://127.0.0.1:0?keys={wrist}") as publisher:
        strangers = ZmqSource(f"zmq+{publisher.address}?keys={stranger}")
        plain = ZmqSource(f"zmq+{publisher.address}")
        known = ZmqSource(f"zmq+{publisher.address}?keys={receiver}")

        async def read(source: ZmqSource) -> list[tuple[object, ...]]:
            return [bits(item) async for item in source.chunks()]

        outside = [asyncio.create_task(read(source)) for source in (strangers, plain)]
        while not publisher.counts().get("refused_keys"):
            await asyncio.sleep(0.01)
        inside = asyncio.create_task(read(known))
        await publisher.subscribed()
        for item in sent:
            await publisher.send(item)
        await publisher.aclose()
        assert await inside == [bits(item) for item in sent]
        await strangers.aclose()
        await plain.aclose()
        assert await asyncio.gather(*outside) == [[], []]


async def test_a_client_rejects_a_server_with_another_key(pairs: tuple[Path, Path], tmp_path: Path) -> None:
    receiver, wrist = pairs
    trust(receiver, "wrist", new_keys(tmp_path / "expected").public.decode())
    async with ZmqPublisher(f"tcp://127.0.0.1:0?keys={wrist}") as publisher:
        source = ZmqSource(f"zmq+{publisher.address}?keys={receiver}")
        reading = asyncio.create_task(anext(source.chunks(), None))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await publisher.subscribed()
        await source.aclose()
        assert await reading is None


@pytest.mark.skipif(os.name != "posix", reason="no modes")
@pytest.mark.parametrize("place", [".", "known", "known/wrist.key"])
@pytest.mark.parametrize("mode", [0o020, 0o002])
def test_keys_that_others_can_write_are_refused(tmp_path: Path, place: str, mode: int) -> None:
    folder = tmp_path / "keys"
    new_keys(folder)
    trust(folder, "wrist", "W" * 40)
    assert Keys.load(folder).known
    written = folder / place
    written.chmod(written.stat().st_mode | mode)
    with pytest.raises(ConfigError, match="other users can write"):
        Keys.load(folder)
