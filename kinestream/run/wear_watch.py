"""How the sensor of each stream is worn, as far as it decides what may be shown; with the notices about it."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from kinestream.interpret.placement import PlacementWatch
from kinestream.observe.findings import Finding, Notice
from kinestream.windowing.walking_up import BLOCK_S, KNOWN_BLOCKS

from .window_counts import so_far, windows_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kinestream.core.signals import Window
    from kinestream.inference import Model

OTHERWISE, NO_UP, RESET = "worn_otherwise", "without_up", "up_resets"
"""The kinds of notices; the first two also count windows."""
MOST_NEW = 64
"""Notices that wait to be announced, at most."""


class Wear(NamedTuple):
    """What is known about the sensor in one window; the fields are those of ``Prediction``."""

    up_known: bool | None = None
    worn_otherwise: bool = False


NOTHING_KNOWN = Wear()


@dataclass(slots=True)
class _Stream:
    watch: PlacementWatch | None
    up_known: bool = False
    otherwise: int = 0  # windows
    without_up: int = 0
    angle_deg: float = 0.0  # when it was last worn otherwise
    resets: int = 0


class WearWatch:
    """Follows all streams of one model.

    >>> from kinestream.inference import find_model, load_model
    >>> WearWatch(load_model(find_model("uci_kinet"))).notices()
    []
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._uses_up = bool(model.placement or model.needs_up or model.input.has_views)
        self._streams: dict[str, _Stream] = {}
        self._announced: dict[tuple[str, str], str] = {}  # each notice's text when it first came up, by stream and kind
        self._unannounced: deque[tuple[str, str]] = deque(maxlen=MOST_NEW)
        self._gone = Counter[str]()  # windows of the streams that left, by kind

    def see(self, window: Window, resets: int) -> Wear:
        """Take the next window of a stream.

        Args:
            resets: how often its direction of up was given up so far.
        """
        stream = self._streams.get(window.stream)
        if stream is None:
            stream = self._streams[window.stream] = self._new()
        otherwise = stream.watch is not None and stream.watch.see(window.up, window.up_blocks)
        if otherwise and stream.watch is not None:
            stream.otherwise += 1
            stream.angle_deg = stream.watch.angle_deg
            self._note(window.stream, OTHERWISE)
        if self._uses_up and resets > stream.resets:
            self._note(window.stream, RESET)
        stream.resets = resets
        if not self._model.needs_up:
            return Wear(None, otherwise)
        stream.up_known = window.up is not None
        if not stream.up_known:
            stream.without_up += 1
            self._note(window.stream, NO_UP)
        return Wear(stream.up_known, otherwise)

    def take_new(self) -> list[Notice]:
        """Return the notices that came up since the last call, as they first came up, the newest last."""
        new = [self._unannounced.popleft() for _ in range(len(self._unannounced))]
        texts = [(name, kind, self._announced.get((name, kind), "")) for name, kind in new]
        return [
            Notice(name, Finding(kind, "warning", text.removeprefix(f"{name}: "))) for name, kind, text in texts if text
        ]

    def forget(self, name: str) -> None:
        """Forget a stream that left; its windows stay counted."""
        stream = self._streams.pop(name, None)
        if stream is not None:
            self._gone.update({OTHERWISE: stream.otherwise, NO_UP: stream.without_up})
        for kind in (OTHERWISE, NO_UP, RESET):
            self._announced.pop((name, kind), None)

    def notices(self) -> list[str]:
        """Return what a person should know now, one line each."""
        return [
            self._text(name, kind, stream)
            for name, kind, stream in self._notable()
            if not (kind == NO_UP and stream.up_known)
        ]

    def past(self) -> list[str]:
        """Return what is over by now, one line each, for the summary of the run."""
        return [
            f"{name}: no up axis in {windows_text(stream.without_up)}, until the wearer had walked: "
            f"{', '.join(self._model.needs_up)} were shown as still"
            for name, kind, stream in self._notable()
            if kind == NO_UP and stream.up_known
        ]

    def _notable(self) -> list[tuple[str, str, _Stream]]:
        """Each notice with its stream; the pipeline's thread may forget streams meanwhile."""
        streams = [(name, kind, self._streams.get(name)) for name, kind in list(self._announced)]
        return [(name, kind, stream) for name, kind, stream in streams if stream is not None]

    def _text(self, name: str, kind: str, stream: _Stream) -> str:
        model = self._model
        if kind == RESET:
            times = f" ({stream.resets} times so far)" if stream.resets > 1 else ""
            return (
                f"{name}: up is learnt again{times}: the sensor was turned, or a long pause or another recording began"
            )
        if kind == NO_UP:
            return (
                f"{name}: no up axis yet: walk {BLOCK_S * KNOWN_BLOCKS:g} s so that postures can be told apart; until "
                f"then {', '.join(model.needs_up)} are shown as still{so_far(stream.without_up)}"
            )
        assert model.placement
        return (
            f"{name}: worn otherwise than {model.name} expects: up lies {stream.angle_deg:.0f} degrees from where its "
            f"training people had it, at most {model.placement.limit_deg:.0f} are usual, so the activity is shown as "
            f"unknown{so_far(stream.otherwise)}; turn the axes (kinestream wear, then --axes), or use a "
            "model for any place (--model anywhere_acc, or --worn PLACE)"
        )

    def counts(self) -> dict[str, int]:
        """Return the number of windows worn otherwise, and of those without up where it is needed; none that is 0."""
        streams = list(self._streams.values())
        counts = {OTHERWISE: sum(s.otherwise for s in streams), NO_UP: sum(s.without_up for s in streams)}
        return dict(+(self._gone + Counter(counts)))

    def state(self) -> dict[str, Any]:
        """Return everything needed to continue elsewhere, as plain values."""
        streams = {
            name: {
                "watch": stream.watch.state() if stream.watch else None,
                "numbers": (stream.up_known, stream.otherwise, stream.without_up, stream.angle_deg, stream.resets),
            }
            for name, stream in self._streams.items()
        }
        found = [(*which, text) for which, text in self._announced.items()]
        return {"streams": streams, "found": found, "gone": dict(self._gone)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue where ``state`` was taken."""
        self._streams = {}
        for name, fields in state["streams"].items():
            stream = self._streams[name] = self._new()
            if stream.watch and fields["watch"]:
                stream.watch.restore(fields["watch"])
            stream.up_known, stream.otherwise, stream.without_up, stream.angle_deg, stream.resets = fields["numbers"]
        self._announced = {(name, kind): text for name, kind, text in state["found"]}
        self._gone = Counter(state.get("gone", {}))

    def _new(self) -> _Stream:
        return _Stream(PlacementWatch(self._model.placement) if self._model.placement else None)

    def _note(self, name: str, kind: str) -> None:
        if (name, kind) not in self._announced:
            self._announced[name, kind] = self._text(name, kind, self._streams[name])
            self._unannounced.append((name, kind))
