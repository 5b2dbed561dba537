"""Parsers of live streams: the wire, relays and journals, phones, Bluetooth packets, LSL descriptions."""

from __future__ import annotations

import ctypes
import json
import math
import struct
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from kinestream.core.errors import DecodeError
from kinestream.core.signals import ACC, CHANNEL_UNITS, GYRO, SEQ_END, SampleChunk
from kinestream.ingest import EndOfStream, decode, encode, encode_end
from kinestream.ingest.devices import find_profile, profiles
from kinestream.ingest.lsl.columns import Columns, Description
from kinestream.ingest.lsl.network import describe
from kinestream.ingest.lsl.samples import Samples
from kinestream.ingest.phone import phyphox, sensor_logger
from kinestream.ingest.phone.device import Device
from kinestream.ingest.profile import Decoder, Packet, Profile, Settings
from kinestream.ingest.profile.generic import parse as parse_generic
from kinestream.ingest.relay.inbox import RelayInbox
from kinestream.ingest.relay.records import Damage, Place, Record, end_of, pack_record, read_records, record_size
from kinestream.ingest.relay.wire import Kind, RelayMessage, pack, unpack

from .judge import Target
from .mutations import Case, mutate_json, mutate_text

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "ingest" / "devices" / "vectors.json").read_text(encoding="utf-8")
)


def samples(n: int = 5, **changes: Any) -> SampleChunk:
    """Return a chunk with irregular times and labels."""
    chunk = SampleChunk(
        *("wrist", "a", np.cumsum(np.full(n, 0.0203)), np.ones((n, 6), np.float32), (*ACC, *GYRO), 50.0, 7, 0.2),
        np.zeros(n, np.int16),
        ("walking", "sitting"),
    )
    return replace(chunk, **changes)


@cache
def _wire_seeds() -> Sequence[Case]:
    plain = samples(labels=None, label_names=(), t=2 + np.arange(5) / 50)
    return [tuple(encode(chunk)) for chunk in (samples(), plain)] + [tuple(encode_end(EndOfStream("wrist", "a", 5)))]


def _check_chunk(chunk: SampleChunk) -> None:
    n = len(chunk.t)
    assert chunk.x.shape == (n, len(chunk.channels))
    assert n
    assert 0 <= chunk.seq <= SEQ_END - n
    assert 0 < chunk.fs_hz < 1e6
    assert len(set(chunk.channels)) == len(chunk.channels)
    assert all(name.isprintable() for name in (chunk.stream, chunk.session, *chunk.channels, *chunk.label_names))
    if chunk.labels is not None:
        assert len(chunk.labels) == n
        assert chunk.labels.min() >= -1
        assert chunk.labels.max() < len(chunk.label_names)


def _parse_wire(frames: Case) -> None:
    value = decode(frames)
    if isinstance(value, SampleChunk):
        _check_chunk(value)
        assert encode(value)[0] == frames[0]
    else:
        assert value.stream.isprintable()


@cache
def _relay_seeds() -> Sequence[Case]:
    journal, data = bytes(range(16)), tuple(encode(samples()))
    messages = [
        RelayMessage(Kind.HELLO, journal, 0, 0, 1),
        RelayMessage(Kind.DATA, journal, 1, 0, 0, data),
        RelayMessage(Kind.WELCOME, journal, 7, 128, 1),
        RelayMessage(Kind.ACK, journal, 7),
        RelayMessage(Kind.REFUSED, journal, frames=(b"too many relays",)),
        RelayMessage(Kind.COPIED, journal, extra=1),
    ]
    return [tuple(pack(message)) for message in messages]


def _parse_relay(frames: Case) -> None:
    message = unpack(frames)
    assert unpack(pack(message)) == message


def _parse_inbox(frames: Case) -> None:
    """A receiver takes, refuses and counts every message and raises nothing."""
    with tempfile.TemporaryDirectory() as folder:
        inbox = RelayInbox("relay", Path(folder), lambda route, message: None)
        inbox.handle(b"honest", list(_relay_seeds()[0]))
        inbox.handle(b"stranger", list(frames))
        for chunk in inbox.ready:
            _check_chunk(chunk)
        inbox.done(len(inbox.ready))
        inbox.counts(), inbox.notices(), inbox.receptions()
        inbox.close()


RECORDS = {number: (b"imu/a", b"header" * number, b"payload" * number) for number in range(1, 9)}
KEY = bytes(16)


@cache
def _journal_seeds() -> Sequence[Case]:
    content = b""
    for number, frames in RECORDS.items():
        content += pack_record(Record(number, frames, 1, number - 1, KEY), 1, len(content))
    return [(content,)]


@cache
def _old_journal_seeds() -> Sequence[Case]:
    """A segment as release 0.1.0 wrote it."""
    content = b""
    for number, frames in RECORDS.items():
        body = struct.pack(f"<QI{len(frames)}I", number, len(frames), *map(len, frames)) + b"".join(frames)
        content += struct.pack("<II", len(body) + 8, crc32(body)) + body
    return [(content,)]


def _parse_journal(case: Case, *, is_old: bool = False) -> None:
    """Every record that is read was written, and every byte belongs to a record or to damage."""
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder) / "1.seg", 1, KEY, is_old)
        place.path.write_bytes(case[0])
        offset = 0
        while offset < len(case[0]):
            items, end = read_records(place, offset, len(case[0]))
            assert items, "nothing read and nothing said"
            for item in items:
                assert isinstance(item, Damage) or RECORDS.get(item.number) == item.frames, "a record never written"
            if not is_old:
                sizes = [item.size if isinstance(item, Damage) else record_size(item.frames) for item in items]
                assert sum(sizes) == end - offset
            offset = end
        end_of(place, len(case[0]))


@cache
def _phone_seeds() -> Sequence[Case]:
    def readings(name: str, values: dict[str, float]) -> list[dict[str, Any]]:
        return [{"name": name, "time": 1_700_000_000_000_000_000 + k * 10_000_000, "values": values} for k in range(40)]

    at_rest, wrist = {"x": 0.1, "y": 0.2, "z": 9.7}, ("acceleration", "gravity", "rotationRate")
    sent = [
        [*readings("totalacceleration", at_rest), *readings("gyroscope", at_rest)],
        [
            *readings("accelerometer", at_rest),
            *readings("gravity", at_rest),
            *readings("Battery", {"batteryLevel": 0.5}),
        ],
        readings("wrist motion", {f"{name}{axis}": 0.1 for name in wrist for axis in "XYZ"}),
    ]
    return [
        (json.dumps({"messageId": 3, "sessionId": "s", "deviceId": "d", "payload": payload}).encode(),)
        for payload in sent
    ]


def _parse_phone(case: Case) -> None:
    message = sensor_logger.decode(case[0])
    if message is None:
        return
    assert message.device.isprintable()
    assert message.battery_frac is None or 0 <= message.battery_frac <= 1
    for readings in message.batch.values():
        assert np.isfinite(readings.x).all()
        assert len(readings.t_ns) == len(readings.x)
    device = Device("phone", None, 3.0)
    chunks = device.take(message, 0.0) + device.due(10.0) + device.close(11.0)
    for chunk in chunks:
        _check_chunk(chunk)
    device.receptions(), device.status(11.0), device.counts(), device.notices()


BUFFERS = (
    phyphox.Buffers("totalacceleration", "acc_time", ("accX", "accY", "accZ")),
    phyphox.Buffers("gyroscope", "gyr_time", ("gyrX", "gyrY", "gyrZ")),
)


@cache
def _phyphox_seeds() -> Sequence[Case]:
    def entry(source: str, buffer: phyphox.Buffers) -> dict[str, Any]:
        return {"source": source, "outputs": [dict(zip("txyz", (buffer.t, *buffer.xyz), strict=True))]}

    config = {"title": "Motion", "inputs": [entry("accelerometer", BUFFERS[0]), entry("gyroscope", BUFFERS[1])]}
    names = [name for buffer in BUFFERS for name in (buffer.t, *buffer.xyz)]
    content = {name: {"size": 0, "updateMode": "full", "buffer": [0.0, 0.01, 0.02]} for name in names}
    response = {"buffer": content, "status": {"session": "abc", "measuring": True, "timedRun": False}}
    return [(json.dumps(config).encode(), json.dumps(response).encode())]


def _parse_phyphox(case: Case) -> None:
    buffers = phyphox.read_config(case[0])
    phyphox.query(buffers, {})
    response = phyphox.read_response(case[1], buffers)
    for readings in response.batch.values():
        assert np.isfinite(readings.x).all()
        assert len(readings.t_ns) == len(readings.x)
    phyphox.query(buffers, response.newest_s)


def check_packets(decoder: Decoder, packets: Sequence[Packet]) -> None:
    """Check that packets are what their decoder's groups say of them, and finite."""
    groups = {group.name: group for group in (*decoder.groups, *decoder.other_groups)}
    for packet in packets:
        if packet.battery_frac is not None:
            assert 0 <= packet.battery_frac <= 1
            continue
        group = groups[packet.group]
        assert packet.samples.ndim == 2
        assert packet.samples.shape[1] == len(group.channels)
        assert np.isfinite(packet.samples).all()
        assert np.abs(packet.samples).max(initial=0) < 1e7, "no sensor measures this"
        modulus, counter_modulus = group.clock.time_modulus, group.clock.counter_modulus
        assert group.clock.tick_s is None or packet.device_time is not None
        assert packet.device_time is None or 0 <= packet.device_time < (modulus or 2**64)
        assert counter_modulus is None or (packet.counter is not None and 0 <= packet.counter < counter_modulus)


def _decoder(profile: Profile) -> Decoder:
    try:
        return profile.plan(Settings(mag=True)).decoder()
    except Exception:  # most devices have no magnetometer
        return profile.plan(Settings()).decoder()


def _bluetooth_seeds(profile: Profile) -> Sequence[Case]:
    """The known packets of a device; each part is a notification: the number of its characteristic, and its bytes."""
    places = {name: bytes([k]) for k, name in enumerate(_decoder(profile).characteristics)}
    return [
        tuple(places[characteristic] + bytes.fromhex(data) for characteristic, data in vector["packets"])
        for vector in VECTORS
        if vector["profile"] == profile.name
        and all(characteristic in places for characteristic, _ in vector["packets"])
    ]


def _parse_bluetooth(profile: Profile, case: Case) -> None:
    decoder = _decoder(profile)
    names = decoder.characteristics
    refused: DecodeError | None = None
    for part in case:
        if part:
            try:
                check_packets(decoder, decoder.decode(names[part[0] % len(names)], part[1:]))
            except DecodeError as error:
                refused = error
    if refused:
        raise refused


GENERIC = """
[[stream]]
characteristic = "2a5b"
rate_hz = 100
header = ">IH"
header_holds = ["time", "counter"]
clock = { tick_s = 1e-6 }
sample = ">hhhbeffd"
sample_holds = ["acc_y", "-acc_x", "acc_z", "_", "gyro_x", "gyro_y", "gyro_z", "_"]
acc = { unit = "mg", counts = 2 }
"""


@cache
def _generic() -> Profile:
    import tomllib

    return parse_generic(tomllib.loads(GENERIC))


@cache
def _generic_seeds() -> Sequence[Case]:
    names = _decoder(_generic()).characteristics
    at = next(k for k, name in enumerate(names) if name.startswith("00002a5b"))
    sample = struct.pack(">hhhbeffd", 1, 2, 3, 4, 0.5, 1.0, 2.0, 3.0)
    return [(bytes([at]) + struct.pack(">IH", 100, k) + sample * k,) for k in (1, 3)]


def _lsl_seeds() -> Sequence[Case]:
    """Name, type, number of channels, rate, text or not; then a label and a unit for each channel."""
    return [
        (b"Muse", b"ACC", b"3", b"52", b"", b"X", b"g", b"Y", b"g", b"Z", b"g"),
        (b"IMU", b"IMU", b"2", b"0", b"text", b"acc_x", b"m/s^2", b"gyro_x", b"deg/s"),
        (b"EEG", b"EEG", b"1", b"256", b"", b"Fp1", b"microvolts"),
    ]


LSL_WORDS = tuple(
    word.encode()
    for word in (
        *CHANNEL_UNITS,
        *("acc x", "Gyroscope (Z)", "g", "mg", "Meters / second^2", "°/s", "µT", "gauss", "N/A", "ACC", "GYRO", "mag"),
        *(" " * 5000, "." * 3000, "metre" * 500, "per " * 500, "(" * 300),
    )
)


def _parse_lsl(case: Case) -> None:
    name, kind, channels, rate, is_text, *columns = (part.decode("utf-8", "replace") for part in case + (b"",) * 5)
    try:
        count, rate_hz = int(channels[:9]), float(rate)
    except ValueError:
        count, rate_hz = len(columns) // 2, 50.0
    stream = Description(
        *(name, kind, count, rate_hz, "id", "host", "uid", bool(is_text)),
        labels=tuple(columns[::2][:1024]),
        units=tuple(columns[1::2][:1024]),
    )
    stream.line()
    found = Columns.of("lsl://Muse", stream, None, {"acc": "g"} if is_text else {})
    assert set(found.channels) <= set(CHANNEL_UNITS)
    assert len(found.channels) == len(found.indices) == len(found.scales)
    assert all(0 < scale < 1e7 for scale in found.scales)
    if not 0.01 <= rate_hz <= 1e5:
        return
    strange: Sequence[Any] = (
        ("1", "nan", "1e999", "", "9" * 5000) if stream.is_text else (1, 1e308, 1e39, math.nan, -math.inf)
    )
    rows = [[value] * count for value in strange]
    for x, t, _, _ in Samples(stream, found, None).push(rows, [1.0, 1.02, 1.04, math.nan, 1e308], 2.0):
        assert x.shape == (len(t), len(found.channels))


def _mutate_lsl(rng: Any, data: bytes) -> bytes:
    return rng.choice(LSL_WORDS) if rng.random() < 0.4 else mutate_text(rng, data, LSL_WORDS)


@cache
def _lsl_library() -> Any:
    """Return pylsl with its function that reads a stream's XML as the network sends it; None without it."""
    try:
        import pylsl
        from pylsl.lib import lib
    except (ImportError, RuntimeError):  # RuntimeError: pylsl without liblsl
        return None
    lib.lsl_streaminfo_from_xml.restype = ctypes.c_void_p
    return pylsl, lib.lsl_streaminfo_from_xml


def _lsl_xml_seeds() -> Sequence[Case]:
    channels = "".join(f"<channel><label>acc_{axis}</label><unit>g</unit><type>ACC</type></channel>" for axis in "xyz")
    return [
        (
            "<?xml version='1.0'?><info><name>Muse</name><type>ACC</type><channel_count>3</channel_count>"
            "<channel_format>float32</channel_format><source_id>m</source_id><nominal_srate>52.0</nominal_srate>"
            "<version>1.1</version><created_at>7.5</created_at><uid>2b9b</uid><session_id>default</session_id>"
            "<v4address></v4address><v4data_port>16572</v4data_port><v4service_port>16572</v4service_port><v6address></v6address>"
            "<v6data_port>16573</v6data_port><v6service_port>16573</v6service_port>"
            f"<hostname>lab</hostname><desc><channels>{channels}</channels></desc></info>".encode(),
        )
    ]


def _parse_lsl_xml(case: Case) -> None:
    pylsl, from_xml = _lsl_library()
    info = pylsl.StreamInfo(handle=from_xml(case[0]))
    stream = describe(info, pylsl, with_columns=True)
    stream.line()
    Columns.of("lsl://Muse", stream, None, {})


def _bluetooth(profile: Profile) -> Target:
    return Target(
        f"bluetooth {profile.name}",
        cache(lambda: _bluetooth_seeds(profile)),
        lambda case: _parse_bluetooth(profile, case),
        has_fixed_parts=False,
    )


LIVE = (
    Target("wire", _wire_seeds, _parse_wire, has_fixed_parts=False),
    Target("relay", _relay_seeds, _parse_relay, has_fixed_parts=False),
    Target("relay inbox", _relay_seeds, _parse_inbox, has_fixed_parts=False),
    Target("journal", _journal_seeds, _parse_journal),
    Target("journal 0.1.0", _old_journal_seeds, lambda case: _parse_journal(case, is_old=True)),
    Target("sensor logger", _phone_seeds, _parse_phone, mutate_json),
    Target("phyphox", _phyphox_seeds, _parse_phyphox, mutate_json),
    *(_bluetooth(find_profile(profile.name)) for profile in profiles()),
    Target("bluetooth generic", _generic_seeds, lambda case: _parse_bluetooth(_generic(), case), has_fixed_parts=False),
    Target("lsl", _lsl_seeds, _parse_lsl, _mutate_lsl, has_fixed_parts=False),
    *([Target("lsl xml", _lsl_xml_seeds, _parse_lsl_xml, mutate_text)] if _lsl_library() else []),
)
"""All parsers of live streams."""
