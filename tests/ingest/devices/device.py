"""A device of paper: carries out the steps of a dialogue and answers from a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from kinestream.ingest.devices import find_profile
from kinestream.ingest.profile import Await, Decoder, Dialogue, Find, Plan, Read, Settings, Step, Subscribe, Wait, Write

Answer = bytes | list[bytes] | Callable[[bytes], bytes | list[bytes]]


@dataclass
class PaperDevice:
    """What it was asked, and how it answers: reads by characteristic, writes by the bytes they begin with."""

    reads: dict[str, bytes] = field(default_factory=dict)
    answers: dict[bytes, Answer] = field(default_factory=dict)
    has: set[str] = field(default_factory=set)
    heard: list[Step] = field(default_factory=list)

    def run(self, dialogue: Dialogue) -> None:
        """Carry the dialogue out to its end, as a radio would."""
        waiting: list[bytes] = []
        subscribed: set[str] = set()
        answer: bytes | None = None
        while True:
            try:
                step = next(dialogue) if answer is None else dialogue.send(answer)
            except StopIteration:
                return
            self.heard.append(step)
            answer = b""
            match step:
                case Subscribe(characteristic):
                    subscribed.add(characteristic)
                case Read(characteristic):
                    answer = self.reads[characteristic]
                case Find(characteristic):
                    answer = b"\1" if characteristic in self.has else b""
                case Write(reply_on=None):
                    pass
                case Write(reply_on=str(channel)):
                    assert channel in subscribed, f"awaits a reply on {channel} without having subscribed to it"
                    waiting = self._reply(step.data)
                    if waiting:
                        answer = waiting.pop(0)
                        assert answer.startswith(step.reply_prefix)
                    else:
                        assert step.silence_is_fine, f"no answer to {step.data.hex()}"
                case Await(prefix=prefix):
                    answer = waiting.pop(0)
                    assert answer.startswith(prefix)
                case Wait(seconds):
                    assert 0 < seconds <= 1
            if isinstance(step, Write):
                assert step.to

    def _reply(self, data: bytes) -> list[bytes]:
        for begin, answer in self.answers.items():
            if data.startswith(begin):
                told = answer(data) if callable(answer) else answer
                return [told] if isinstance(told, bytes) else list(told)
        return []

    @property
    def written(self) -> list[tuple[str, str]]:
        """(first group of the characteristic, bytes in hex) of each write."""
        return [(step.characteristic[:8], step.data.hex()) for step in self.heard if isinstance(step, Write)]


def start(name: str, device: PaperDevice, settings: Settings | None = None) -> tuple[Plan, Decoder]:
    """Hold a profile's start dialogue with a device."""
    plan = find_profile(name).plan(settings or Settings())
    decoder = plan.decoder()
    device.run(plan.start(decoder))
    return plan, decoder


def stopped(plan: Plan, decoder: Decoder) -> list[tuple[str, str]]:
    """What a profile's stop dialogue writes."""
    device = PaperDevice()
    device.run(plan.stop(decoder))
    return device.written
