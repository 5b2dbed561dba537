"""What a ZeroMQ socket received, by stream: understood, malformed with one example, and under other topics."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from kinestream.core.errors import DecodeError
from kinestream.core.evidence import Reception

from .wire import MAGIC, TOPIC
from .wire_header import name_text

MAX_NAMES = 16
"""Number of unwanted topics that are listed by name; the rest are counted together."""

MAX_NAME_CHARACTERS = 40
EXAMPLE_BYTES = 64
MAX_STREAMS = 64
OTHER_TOPICS = "further topics"
NO_TOPIC_JSON = "JSON without a topic"
UNPRINTABLE = "unprintable topics"


@dataclass(slots=True)
class _Received:
    packets: int = 0
    samples: int = 0
    malformed: int = 0
    example: bytes = b""
    reason: str = ""


class ReceptionLog:
    """Bounded log of the messages of one source, as ``Reception``s.

    Args:
        source: the source's name, under which messages without a valid topic are reported.
        streams: the streams that the address names; empty for all.
        has_topics: whether messages come under topics that the source selects by.

    >>> log = ReceptionLog("zmq+tcp://127.0.0.1:5556")
    >>> log.unwanted([b"wrist", b"...", b"..."])
    >>> log.receptions()[0].unwanted, log.receptions()[0].expected
    ({'wrist': 1}, 'topics that begin with imu/')
    """

    def __init__(self, source: str, streams: Iterable[str] = (), *, has_topics: bool = True) -> None:
        self._source = source
        self._selected = tuple(sorted(streams))
        self._has_topics = has_topics
        self._streams = OrderedDict((stream, _Received()) for stream in self._selected)
        self._rest = _Received()
        self._unwanted = Counter[str]()
        self._ours = ""
        """An unwanted topic whose messages otherwise have this format."""

    def took(self, stream: str, samples: int) -> None:
        """Count an understood message; the stream that sent longest ago makes room for a new one that is served."""
        received = self._streams.get(stream)
        if received is None:
            if samples and len(self._streams) >= MAX_STREAMS:
                del self._streams[next((name for name in self._streams if name not in self._selected), stream)]
            received = self._of_stream(stream)
        elif len(self._streams) >= MAX_STREAMS and stream not in self._selected:
            self._streams.move_to_end(stream)
        received.packets += 1
        received.samples += samples

    def malformed(self, frames: Sequence[bytes], error: DecodeError, stream: str | None = None) -> None:
        """Count a malformed message; the first of each stream is kept as the example.

        Args:
            stream: the stream to which it belongs (default: the one that its topic names).
        """
        stream = topic_stream(frames) if stream is None else stream
        received = self._of_stream(stream) if stream else self._rest
        received.packets += 1
        received.malformed += 1
        if received.malformed == 1:
            received.example = bytes(_telling(frames, error)[:EXAMPLE_BYTES])
            received.reason = self._reason(frames, error, stream)

    def unwanted(self, frames: Sequence[bytes]) -> None:
        """Count a message under a topic that the source does not read."""
        name = topic_name(frames)
        if name not in self._unwanted and len(self._unwanted) >= MAX_NAMES:
            name = OTHER_TOPICS
        self._unwanted[name] += 1
        if not self._ours and len(frames) == 3 and frames[1][:4] == MAGIC:
            self._ours = name

    def receptions(self, remarks: Callable[[str], Sequence[str]] = lambda _: ()) -> list[Reception]:
        """Return one reception per stream, and one for the source where no stream is known or a message had none.

        Unwanted topics are reported only where a stream is missing: beside a stream that arrives they are usual.

        Args:
            remarks: returns what was assumed or repaired of a stream.
        """
        receptions = [
            self._reception(name, received, self._expected(name), tuple(remarks(name)))
            for name, received in list(self._streams.items())
        ]
        if not receptions or self._rest.packets:
            receptions.append(self._reception(self._source, self._rest, self._expected()))
        return receptions

    def _reception(self, name: str, received: _Received, expected: str, remarks: tuple[str, ...] = ()) -> Reception:
        missing = received.samples == 0 and (name in self._selected or not self._streams)
        unwanted = dict(self._unwanted.most_common()) if missing else {}
        if unwanted and self._ours:
            right = f"imu/{name}" if name in self._selected else f"imu/{self._ours}"
            expected += f", so {right} for the messages under {self._ours}, whose format is right"
        return Reception(
            name,
            received.packets,
            received.samples,
            received.malformed,
            received.example,
            received.reason,
            unwanted,
            expected=expected,
            remarks=remarks,
        )

    def _reason(self, frames: Sequence[bytes], error: DecodeError, stream: str) -> str:
        if self._has_topics or stream:
            return reason(frames, error)
        if len(frames) > 1 and frames[-2][:4] == MAGIC:
            return "samples that no relay sent: send them with 'kinestream relay', or read them from zmq+tcp://"
        return reason(frames, error, self._expected())

    def _expected(self, stream: str = "") -> str:
        if not self._has_topics:
            return "messages of 'kinestream relay'"
        return f"the topic imu/{stream}" if stream in self._selected else "topics that begin with imu/"

    def _of_stream(self, stream: str) -> _Received:
        if stream not in self._streams and len(self._streams) >= MAX_STREAMS:
            return self._rest
        return self._streams.setdefault(stream, _Received())


def topic_stream(frames: Sequence[bytes]) -> str:
    """Return the stream that a message's topic names; empty where it names none.

    >>> topic_stream([b"imu/wrist", b"", b""]), topic_stream([b'imu/wrist {"t": 1}']), topic_stream([b"wrist"])
    ('wrist', 'wrist', '')
    """
    topic = frames[0] if len(frames) > 1 else frames[0][:256].split(b" ")[0] if frames and b" " in frames[0] else b""
    try:
        return name_text(topic[len(TOPIC) :]) if topic.startswith(TOPIC) else ""
    except DecodeError:
        return ""


def topic_name(frames: Sequence[bytes]) -> str:
    """Return a short printable name of the topic of any message; a message of one frame may have it in front.

    >>> topic_name([b"wrist", b"..."]), topic_name([b'{"acc": [0, 0, 9.8]}']), topic_name([b"hip [0, 0, 9.8]"])
    ('wrist', 'JSON without a topic', 'hip')
    """
    if not frames or is_json(frames[0]):
        return NO_TOPIC_JSON
    head = frames[0][: 4 * MAX_NAME_CHARACTERS]
    if len(frames) == 1:
        head = head.split(maxsplit=1)[0] if head.split() else b""
    text = head.decode("utf-8", "replace")[:MAX_NAME_CHARACTERS]
    return text if text and text.isprintable() and "\N{REPLACEMENT CHARACTER}" not in text else UNPRINTABLE


def is_json(frame: bytes) -> bool:
    """Return whether a frame looks like JSON: an object or a list.

    >>> is_json(b' {"t": 1}'), is_json(b"KIMU")
    (True, False)
    """
    text = frame[:256].lstrip()
    return text[:1] in (b"{", b"[") and all(byte >= 32 or byte in b"\t\r\n" for byte in text)


def reason(frames: Sequence[bytes], error: DecodeError, expected: str = "three binary frames") -> str:
    """Return why a message was not understood, in words.

    >>> reason([b"imu/wrist", b'{"acc": [0, 0, 9.8]}'], DecodeError("a message of 2 frames; expected 3"))
    'JSON; expected three binary frames (docs/wire.md)'
    """
    if any(is_json(frame) or is_json(frame[:512].partition(b" ")[2]) for frame in frames):
        return f"JSON; expected {expected} (docs/wire.md)"
    return str(error).partition(" [")[0]


def _telling(frames: Sequence[bytes], error: DecodeError) -> bytes:
    """Return the frame that shows best what the message is."""
    for frame in frames:
        if is_json(frame):
            return frame
    return error.packet or max(frames, key=len, default=b"")
