"""The loop around a policy: what it may look at for the next window, and which windows it skips.

The pipeline runs it on live windows, the laboratory on recorded ones. It holds no clock, battery or network: the
caller brings their readings, runs the network, and hands the prediction back.
"""

from __future__ import annotations

from collections import deque
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from kinestream.core.signals import Decision, Prediction, Sensing, Subnet
from kinestream.policy import PolicyState

if TYPE_CHECKING:
    from kinestream.core.signals import Window
    from kinestream.policy import BatteryReading

REMEMBERED = 8
"""How many predictions a policy sees of the past."""


class DecisionLoop:
    """From the predictions so far to the policy's next state.

    Args:
        hop_s: seconds between two windows of one stream.

    >>> loop = DecisionLoop(hop_s=1.28)
    >>> loop.state("wrist", now_s=2.56).hop_s
    1.28
    >>> loop.skips("wrist")  # no decision has asked for a longer hop
    False
    """

    def __init__(self, hop_s: float) -> None:
        self.hop_s = hop_s
        self.skipped = 0
        """Windows that the hop of a decision passed over."""
        self._recent: deque[Prediction] = deque(maxlen=REMEMBERED)
        self._own: dict[str, deque[Prediction]] = {}  # the same for each stream
        self._to_skip: dict[str, int] = {}  # windows of each stream

    def to_skip(self, stream: str) -> int:
        """How many of the stream's next windows the hop of its last decision passes over."""
        return self._to_skip.get(stream, 0)

    def skips(self, stream: str) -> bool:
        """Take the stream's next window, and say whether the hop of its last decision passes over it."""
        left = self.to_skip(stream)
        if left:
            self._to_skip[stream] = left - 1
            self.skipped += 1
        return left > 0

    def wake(self, stream: str) -> None:
        """Pass over no further window of the stream."""
        self._to_skip.pop(stream, None)

    def state(
        self,
        stream: str,
        *,
        now_s: float,
        deadline_ms: float | None = None,
        battery: BatteryReading | None = None,
        coverage: float = 1.0,
        streams: int = 1,
    ) -> PolicyState:
        """The policy's input for the stream's next window.

        Args:
            now_s: stream time of the window's end, seconds since the run began.
            deadline_ms: how long one window may take; None: no deadline.
            battery: its reading; None where there is none.
            coverage: share of the window's samples that were received, 0 to 1.
            streams: how many streams share the processor.
        """
        last = self._recent[-1].decision if self._recent else None
        return PolicyState(
            now_s=now_s,
            started_s=0.0,
            deadline_ms=deadline_ms,
            battery=battery,
            last=last,
            recent=tuple(self._recent),
            hop_s=self.hop_s * (last.hop if last else 1) / max(1, streams),
            own=tuple(self._own.get(stream, ())),
            coverage=coverage,
        )

    def conclude(self, prediction: Prediction) -> None:
        """Remember a prediction, and skip the windows that the hop of its decision passes over."""
        self._recent.append(prediction)
        self._own.setdefault(prediction.stream, deque(maxlen=REMEMBERED)).append(prediction)
        self._to_skip[prediction.stream] = prediction.decision.hop - 1

    def forget(self, stream: str) -> None:
        """Forget a stream that left."""
        self._own.pop(stream, None)
        self._to_skip.pop(stream, None)

    def snapshot(self) -> dict[str, Any]:
        """Everything needed to continue elsewhere: plain values and arrays."""
        return {
            "recent": [asdict(prediction) for prediction in self._recent],
            "own": {stream: [asdict(prediction) for prediction in own] for stream, own in self._own.items()},
            "resting": dict(self._to_skip),
            "passed_over": self.skipped,
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Continue where ``snapshot`` was taken."""
        self._recent = deque(map(_prediction, snapshot["recent"]), maxlen=REMEMBERED)
        self._own = {stream: deque(map(_prediction, own), maxlen=REMEMBERED) for stream, own in snapshot["own"].items()}
        self._to_skip = dict(snapshot["resting"])
        self.skipped = snapshot["passed_over"]


def _prediction(fields: dict[str, Any]) -> Prediction:
    """The prediction that ``dataclasses.asdict`` took apart."""
    decision = fields["decision"]
    sensing = decision["sensing"] and Sensing(**decision["sensing"])
    return Prediction(
        **fields
        | {
            "decision": Decision(**decision | {"subnet": Subnet(**decision["subnet"]), "sensing": sensing}),
            "labels": tuple(fields["labels"]),
        }
    )


class StreamTime:
    """Stream time that advances evenly, whatever the sources' clocks do between epochs."""

    def __init__(self) -> None:
        self._streams: dict[str, tuple[str | None, float, float]] = {}  # epoch, its last window's end, time so far
        self._gone_s = 0.0  # the time of the longest stream that left

    def after(self, window: Window) -> float:
        """Seconds of signal up to the end of this window; the longest stream counts."""
        epoch, end_s, total_s = self._streams.get(window.stream, (None, 0.0, 0.0))
        step_s = window.t_end_s - end_s if epoch == window.session else window.t_end_s - window.t_start_s
        # A clock set back within an epoch adds what the window itself shows.
        total_s += step_s if step_s > 0 else window.t_end_s - window.t_start_s
        self._streams[window.stream] = (window.session, window.t_end_s, total_s)
        return max(self._gone_s, max(total for _, _, total in self._streams.values()))

    def forget(self, stream: str) -> None:
        """Forget a stream that left; stream time never goes back for it."""
        _, _, total_s = self._streams.pop(stream, (None, 0.0, 0.0))
        self._gone_s = max(self._gone_s, total_s)

    def snapshot(self) -> dict[str, Any]:
        """Plain values from which ``restore`` continues."""
        return {"streams": dict(self._streams), "gone_s": self._gone_s}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Continue where ``snapshot`` was taken."""
        streams = snapshot.get("streams", {})
        self._streams = {stream: (row[0], row[1], row[2]) for stream, row in streams.items()}
        self._gone_s = snapshot.get("gone_s", 0.0)
