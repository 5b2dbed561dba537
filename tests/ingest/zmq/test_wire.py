"""The wire format preserves every bit, and any bytes are safe to decode."""

from __future__ import annotations

import re
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kinestream.core.errors import ConfigError, DecodeError
from kinestream.core.signals import ACC, CHANNEL_UNITS, GYRO, SEQ_END, SampleChunk
from kinestream.ingest import EndOfStream, decode, encode, encode_end
from kinestream.ingest.zmq.wire import MAX_SAMPLES

PAGE = Path(__file__).resolve().parents[3] / "docs" / "wire.md"
names = st.text(st.characters(categories=("L", "N", "P")), min_size=1, max_size=20)


@st.composite
def chunks(draw: st.DrawFn) -> SampleChunk:
    n = draw(st.integers(1, 40))
    known = draw(st.lists(st.sampled_from(sorted(CHANNEL_UNITS)), min_size=1, max_size=9, unique=True))
    channels = (*known, *draw(st.sampled_from([(), ("pulse_2",)])))
    fs_hz = draw(st.sampled_from([20.0, 50.0, 33.333, 104.2]))
    t0_s = draw(st.floats(-1e6, 1e10))
    uniform = t0_s + np.arange(n) / fs_hz
    t = uniform if draw(st.booleans()) else draw(hnp.arrays(np.float64, n))
    label_names, labels = (), None
    if draw(st.booleans()):
        label_names = tuple(draw(st.lists(names, max_size=4, unique=True)))
        labels = draw(hnp.arrays(np.int16, n, elements=st.integers(-1, len(label_names) - 1)))
    return SampleChunk(
        stream=draw(names),
        session=draw(names),
        t=t,
        x=draw(hnp.arrays(np.float32, (n, len(channels)))),
        channels=channels,
        fs_hz=fs_hz,
        seq=draw(st.integers(0, SEQ_END - n)),
        received_s=draw(st.floats(-(2.0**61), 2.0**61)),
        labels=labels,
        label_names=label_names,
    )


def a_chunk(n: int = 4, **changes: Any) -> SampleChunk:
    whole = SampleChunk(
        stream="wrist",
        session="s1",
        t=2.0 + np.arange(n) / 50.0,
        x=np.arange(n * 6, dtype=np.float32).reshape(n, 6),
        channels=ACC + GYRO,
        fs_hz=50.0,
        seq=100,
        received_s=2.25,
        labels=np.zeros(n, np.int16),
        label_names=("walking", "sitting"),
    )
    return replace(whole, **changes)


def same(left: SampleChunk, right: SampleChunk) -> bool:
    """Return whether two chunks are equal to the last bit, including NaN."""
    arrays = [(left.t, right.t), (left.x, right.x)]
    if left.labels is not None and right.labels is not None:
        arrays.append((left.labels, right.labels))
    return (
        all(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes() for a, b in arrays)
        and (left.labels is None) == (right.labels is None)
        and all(
            getattr(left, name) == getattr(right, name)
            for name in ("stream", "session", "channels", "fs_hz", "seq", "received_s", "label_names")
        )
    )


@given(chunks())
def test_every_chunk_survives_the_round_trip_to_the_last_bit(chunk: SampleChunk) -> None:
    back = decode(encode(chunk))
    assert isinstance(back, SampleChunk)
    assert same(chunk, back)


@given(names, names, st.integers(0, SEQ_END))
def test_an_end_of_stream_survives_the_round_trip(stream: str, session: str, seq: int) -> None:
    end = EndOfStream(stream, session, seq)
    assert decode(encode_end(end)) == end


def test_uniform_times_are_not_sent_and_irregular_ones_are() -> None:
    uniform, irregular = a_chunk(25), a_chunk(25, t=np.cumsum(np.full(25, 0.0203)))
    assert len(encode(irregular)[2]) - len(encode(uniform)[2]) == 8 * 25


def test_a_single_sample_at_an_infinite_time_survives_the_round_trip() -> None:
    chunk = a_chunk(1, t=np.array([np.inf]))
    back = decode(encode(chunk))
    assert isinstance(back, SampleChunk)
    assert same(chunk, back)


def test_a_strided_view_is_sent_with_the_values_it_shows() -> None:
    whole = a_chunk(20)
    assert whole.labels is not None
    view = a_chunk(10, t=whole.t[::2], x=whole.x[::2], labels=whole.labels[::2])
    back = decode(encode(view))
    assert isinstance(back, SampleChunk)
    assert same(view, back)


@given(st.lists(st.binary(max_size=200), max_size=4))
def test_random_bytes_raise_a_decode_error(frames: list[bytes]) -> None:
    with pytest.raises(DecodeError):
        decode(frames)


@settings(max_examples=300)
@given(chunks(), st.data())
def test_a_damaged_message_raises_a_decode_error_or_is_a_whole_chunk(chunk: SampleChunk, data: st.DataObject) -> None:
    frames = [bytearray(frame) for frame in encode(chunk)]
    for _ in range(data.draw(st.integers(1, 3))):
        frame = frames[data.draw(st.integers(0, 2))]
        at = data.draw(st.integers(0, max(len(frame) - 1, 0)))
        match data.draw(st.sampled_from(["change", "cut", "add"])):
            case "change" if frame:
                frame[at] = data.draw(st.integers(0, 255))
            case "cut":
                del frame[at:]
            case _:
                frame[at:at] = data.draw(st.binary(min_size=1, max_size=8))
    try:
        back = decode([bytes(frame) for frame in frames])
    except DecodeError:
        return
    if isinstance(back, SampleChunk):
        assert back.x.shape == (len(back.t), len(back.channels))
        assert back.labels is None or (len(back.labels) == len(back.t) and back.labels.max() < len(back.label_names))


def header_with(at: int, form: str, value: object) -> list[bytes]:
    topic, header, payload = encode(a_chunk())
    changed = bytearray(header)
    struct.pack_into(form, changed, at, value)
    return [topic, bytes(changed), payload]


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (header_with(0, "4s", b"KIMV"), "expected b'KIMU' version 1"),
        (header_with(4, "B", 2), "version 2; expected"),
        (header_with(5, "B", 0x80), "flags 0x80"),
        (header_with(5, "B", 6), "end of stream with samples"),
        (header_with(6, "B", 0), "0 channels"),
        (header_with(6, "B", 5), "5 channels but 6 channel names"),
        (header_with(7, "B", 200), "a header of"),
        (header_with(8, "<I", 0), "0 samples"),
        (header_with(8, "<I", 2**32 - 1), "4294967295 samples"),
        (header_with(16, "<Q", 2**63), "sequence number 9223372036854775808; expected at most"),
        (header_with(24, "<d", float("nan")), "nan Hz"),
        (header_with(24, "<d", -50.0), "-50.0 Hz"),
        (header_with(32, "<d", float("inf")), "first sample at inf"),
        (header_with(40, "<d", float("nan")), "sent at nan"),
        (header_with(40, "<d", -1e300), "sent at -1e"),
        ([b"eeg/wrist", *encode(a_chunk())[1:]], "begin with 'imu/'"),
        ([b"imu/", *encode(a_chunk())[1:]], "a name of 0 bytes"),
        ([b"imu/a\x1bb", *encode(a_chunk())[1:]], "printable"),
        ([b"imu/\xff", *encode(a_chunk())[1:]], "not UTF-8"),
        ([*encode(a_chunk())[:2], b""], "a payload of 0 bytes"),
        (encode(a_chunk())[:2], "2 frames"),
    ],
)  # fmt: skip
def test_a_malformed_message_is_described(frames: list[bytes], message: str) -> None:
    with pytest.raises(DecodeError, match=re.escape(message)):
        decode(frames)


def test_a_known_channel_in_another_unit_is_refused() -> None:
    topic, header, payload = encode(a_chunk())
    feet = header.replace(b"acc_x m/s^2", b"acc_x ft/s2")
    with pytest.raises(DecodeError, match=r"channel acc_x in 'ft/s2'; expected 'm/s\^2'"):
        decode([topic, feet, payload])


def test_a_label_code_without_a_name_is_refused() -> None:
    topic, header, payload = encode(a_chunk())
    with pytest.raises(DecodeError, match="label code outside -1 to 1"):
        decode([topic, header, payload[:-2] + struct.pack("<h", 2)])


@pytest.mark.parametrize(
    "changes",
    [
        {"stream": ""},
        {"session": "s" * 256},
        {"session": "two\nlines"},
        {"session": "\ud800"},
        {"channels": ("acc x", *ACC[1:], *GYRO)},
        {"channels": ("a\nb", *ACC[1:], *GYRO)},
        {"channels": (ACC[1], *ACC[1:], *GYRO)},
        {"channels": ACC},
        {"label_names": ("walking\nsitting", "")},
        {"label_names": ()},
        {"fs_hz": 0.0},
        {"fs_hz": float("nan")},
        {"seq": -1},
        {"seq": SEQ_END},
        {"received_s": float("inf")},
        {"received_s": 2.0**62},
        {"t": np.empty(0), "x": np.empty((0, 6), np.float32), "labels": None},
        {"t": np.empty(MAX_SAMPLES + 1), "x": np.empty((MAX_SAMPLES + 1, 6), np.float32), "labels": None},
    ],
)
def test_a_chunk_that_does_not_fit_the_format_is_refused_before_it_is_sent(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"cannot be sent"):
        encode(a_chunk(**changes))


def test_the_code_sends_and_reads_the_example_of_the_docs_page() -> None:
    blocks = dict(re.findall(r"```hex (\w+)\n(.*?)```", PAGE.read_text(), re.DOTALL))

    def frame(name: str) -> bytes:
        return bytes.fromhex("".join(line.split("#")[0] for line in blocks[name].splitlines()))

    x = np.array([[0.5, -0.25, 9.75], [0.0, 1.0, 9.5]], np.float32)
    example = SampleChunk(
        "wrist", "a1", np.array([12.0, 12.02]), x, ACC, 50.0, 600, 12.125, np.array([0, -1], np.int16), ("walk", "sit")
    )
    frames = [frame("topic"), frame("header"), frame("payload")]
    assert frames == encode(example)
    back = decode(frames)
    assert isinstance(back, SampleChunk)
    assert same(back, example)
    end = [frame("end_topic"), frame("end_header"), b""]
    assert decode(end) == EndOfStream("wrist", "a1", 602)
    assert encode_end(EndOfStream("wrist", "a1", 602)) == end
