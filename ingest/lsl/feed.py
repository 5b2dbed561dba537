"""One stream of an LSL source: found, read, and found again when it has gone and come back."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

from kinestream.core.errors import InputMismatch
from kinestream.core.evidence import Reception
from kinestream.core.signals import SampleChunk
from kinestream.core.source import LinkStatus

from ..zmq.wire import MAX_FS_HZ, MIN_FS_HZ
from .address import LslAddress
from .columns import Columns, Description
from .network import Inlet, Network
from .samples import Samples

LOOK_ROUND_S = 2.0
"""Time between looks at all other streams while the wanted one is absent."""
SILENT_S = 5.0
"""Silence after which another outlet of the same stream is looked for: one whose machine vanished never closes."""
MAX_NAMED = 16


class Feed:
    """The chunks of one stream, over all its outlets one after the other; every outlet begins a new epoch.

    Args:
        kind: the type to read; empty for any.
    """

    def __init__(self, network: Network, address: LslAddress, kind: str) -> None:
        self._network, self._address, self._kind = network, address, kind
        self.name = address.name or kind or address.source_id
        self._inlet: Inlet | None = None
        self._known: Description | None = None
        self._samples: Samples | None = None
        self._closed = False
        self._state = "looking"
        self._epochs = 0
        self._uids = Counter[str]()
        self._packets = self._handed = self._malformed = 0
        self._seen = Counter[str]()
        self._heard_s = time.monotonic()
        self._end = ""
        self.newest_s = -math.inf
        """The newest time."""

    async def chunks(self) -> AsyncIterator[SampleChunk]:
        """Yield the chunks until ``aclose``, or with ``once`` until the stream goes.

        Raises:
            InputMismatch: the address means several streams, or does not say what the columns are.
        """
        while not self._closed:
            found = await self._find()
            if found is None:
                return
            self._check_rate(found.nominal_srate())
            self._inlet = inlet = Inlet(self._network, found)
            try:
                stream = await inlet.describe()
                async for chunk in self._read(inlet, stream):
                    yield chunk
            except self._network.gone:
                pass
            finally:
                await self._close_inlet()
            if self._closed:
                return
            self._state = "lost" if self._epochs else "looking"
            if self._address.once and self._epochs:
                self._end = "the stream disappeared: ended, because the address has once=1"
                return

    def _check_rate(self, nominal_hz: float) -> None:
        """Raise InputMismatch for a rate that no sensor has: liblsl reserves memory by it."""
        if nominal_hz and not MIN_FS_HZ <= nominal_hz <= MAX_FS_HZ:
            raise InputMismatch(
                f"{self._address.uri}: the stream announces {nominal_hz:g} Hz; expected {MIN_FS_HZ:g} to {MAX_FS_HZ:g} "
                "Hz, or 0 for an irregular stream: correct its outlet"
            )

    async def _find(self) -> Any:
        """Return the info of the wanted stream as soon as it is there; None on ``aclose``."""
        looked_s = time.monotonic()
        while not self._closed:
            streams = await self._network.streams(self._address.name)
            if self._closed:
                return None
            if self._address.matching([stream for stream, _ in streams], self._kind):
                self._seen.clear()  # it was seen before it was looked for by name
                return await self._choose()
            if time.monotonic() - looked_s >= LOOK_ROUND_S:
                looked_s = time.monotonic()
                others = await self._network.all_answers("")
                self._seen = Counter(stream.line() for stream, _ in others[:MAX_NAMED])
        return None

    async def _choose(self) -> Any:
        streams = await self._network.all_answers(self._address.name)
        candidates = [stream for stream, _ in streams]
        known = self._known
        if known is not None and len(self._address.matching(candidates, self._kind)) > 1:
            same = [
                stream for stream in candidates if stream.source_id == known.source_id and stream.host == known.host
            ]
            candidates = same or candidates
        chosen = self._address.choose(candidates, self._kind)
        return next((info for stream, info in streams if stream is chosen), None) if chosen else await self._find()

    async def _read(self, inlet: Inlet, stream: Description) -> AsyncIterator[SampleChunk]:
        columns = Columns.of(self._address.uri, stream, self._address.channels, self._address.units)
        self.name = self._address.name or stream.name
        samples = self._samples = Samples(stream, columns, self._address.rate_hz)
        self._known, self._state = stream, "streaming"
        self._seen.clear()
        self._epochs += 1
        self._uids[stream.uid] += 1
        base = f"{self.name}-{stream.uid[:8]}"
        base += f"#{self._uids[stream.uid]}" if self._uids[stream.uid] > 1 else ""
        restarts, malformed = 0, self._malformed
        self._heard_s = time.monotonic()
        while not self._closed:
            rows, stamps, received_s = await inlet.pull(settle=samples.settles)
            if not stamps:
                if time.monotonic() - self._heard_s > SILENT_S and await self._is_replaced(stream):
                    return
                continue
            self._heard_s = time.monotonic()
            self._packets += len(stamps)
            pushed = samples.push(rows, stamps, received_s)
            self._malformed = malformed + samples.malformed
            for x, t, at_s, restarted in pushed:
                restarts += restarted
                session = f"{base}~{restarts + 1}" if restarts else base
                seq, samples.seq = samples.seq, samples.seq + len(t)
                self._handed += len(t)
                self.newest_s = float(t[-1])
                yield SampleChunk(self.name, session, t, x, columns.channels, samples.fs_hz, seq, at_s)

    async def _is_replaced(self, stream: Description) -> bool:
        """Return whether the silent stream is gone while another matches."""
        self._heard_s = time.monotonic()
        streams = [found for found, _ in await self._network.all_answers(self._address.name)]
        matching = self._address.matching(streams, self._kind)
        return bool(matching) and stream.uid not in {found.uid for found in matching}

    async def aclose(self) -> None:
        """Close the inlet; may be called twice."""
        self._closed = True
        await self._network.idle()
        await self._close_inlet()

    async def _close_inlet(self) -> None:
        inlet, self._inlet = self._inlet, None
        if inlet is not None:
            await inlet.close()

    def reception(self) -> Reception:
        """Return what arrived of the stream, and which other streams are there while it is absent."""
        remarks = list(self._samples.remarks()) if self._samples else []
        if self._epochs > 1:
            remarks.append(f"the stream went and came back {self._epochs - 1} x: a new epoch each time")
        if self._end:
            remarks.append(self._end)
        samples = self._samples
        return Reception(
            self.name or self._address.uri,
            self._packets,
            self._handed,
            self._malformed,
            samples.malformed_example.encode() if samples else b"",
            "text that is not a number" if self._malformed else "",
            {} if self._epochs else dict(self._seen),
            expected=self._address.wanted(self._kind),
            remarks=tuple(remarks),
        )

    def status(self) -> LinkStatus:
        """Return the state of the link."""
        silence_s = time.monotonic() - self._heard_s if self._state == "streaming" else None
        return LinkStatus(self.name or self._address.uri, self._state, None, None, max(self._epochs - 1, 0), silence_s)
