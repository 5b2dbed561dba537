"""From options to a session that is ready to run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from kinestream.core.errors import ConfigError
from kinestream.core.source import Playback, Source
from kinestream.energy.energy_model import read_energy_model
from kinestream.inference import Choice, Engine, Model, find_model, load_model
from kinestream.interpret.episodes import EpisodeFinder
from kinestream.observe.findings import Notice, problem
from kinestream.observe.stream_observer import StreamObservers
from kinestream.policy import make_battery
from kinestream.run.pipeline import Pipeline
from kinestream.run.session import Session
from kinestream.run.source_watch import SourceWatch
from kinestream.sensor_check.axes_file import is_axes_file, read_axes_file
from kinestream.sensor_check.orientation import orientation_of
from kinestream.windowing import ChannelMap

from .build_pipeline import build_concluder, build_pipeline, explicit_policy
from .default_model import BegunSource, assumed_model, begin, default_model
from .open_source import open_source
from .run_options import DEFAULT_POLICY, RunOptions

if TYPE_CHECKING:
    from kinestream.interpret.concluder import Concluder
    from kinestream.recording.recorder import Recorder

OnLine = Callable[[str], None]
"""Takes one line for a person."""
Progress = Callable[[int, int], None]
"""Takes the measurements done, and how many there are."""


def build_run(options: RunOptions, *, on_notice: OnLine | None = None, on_progress: Progress | None = None) -> Session:
    """The session that the options describe. A recorded run repeats as it was if no option changes it.

    Without a model in the options, the source decides (``default_model``). A live source whose samples are unknown
    until it starts gets an assumed model; ``PendingRun`` waits for its first samples instead.

    Args:
        on_notice: called with each line a person should read, also later when a recording fails; None: not shown.
        on_progress: called while subnetworks are measured; None: not shown.
    Raises:
        KinestreamError: an option, the model or the source is wrong.

    >>> import asyncio
    >>> session = build_run(RunOptions("wearer://?seed=1&speed=max", limit_s=10))
    >>> summary = asyncio.run(session.run())
    >>> session.summary()["predictions"]
    6
    """
    return PendingRun(options).build(on_notice=on_notice, on_progress=on_progress)


class PendingRun:
    """A run whose source is open, and whose model may still depend on the source's first samples.

    ``begin`` waits for them; without it, ``build`` assumes a sensor. Everything happens in one event loop.

    Raises:
        KinestreamError: the source or an option is wrong.

    >>> import asyncio
    >>> async def run():
    ...     pending = PendingRun(RunOptions("wearer://?seed=1&speed=max", limit_s=10))
    ...     if pending.waits:
    ...         await pending.begin()
    ...     return await pending.build().run()
    >>> asyncio.run(run())["model"]
    'uci_cnn'
    """

    def __init__(self, options: RunOptions) -> None:
        self.options = options
        self._rerun = _rerun(options) if is_rerun(options) else None
        self.source: Source = self._rerun.source if self._rerun else open_source(options.source, options.source_options)
        self._begun: BegunSource | None = None
        self._watch: SourceWatch | None = None
        self._choice: Choice | None = None
        if not self._rerun and options.model is None:
            self._choice = default_model(self.source, options.worn, options.axes)

    @property
    def waits(self) -> bool:
        """Whether the choice of the model needs the source's first samples."""
        return not self._rerun and self.options.model is None and self._choice is None

    async def begin(self, on_notice: Callable[[Notice], None] | None = None) -> None:
        """Start the source and choose the model by its first samples.

        Args:
            on_notice: called once for each notice about what arrives instead, while the samples are waited for.
        Raises:
            InputMismatch: no bundled model fits them.
            KinestreamError: the source cannot start.
        """
        watch = self._watch = SourceWatch(self.source)
        observers = StreamObservers(live=not watch.is_replay)

        def look() -> None:
            for notice in watch.look(observers.figures(time.monotonic())):
                if on_notice:
                    on_notice(notice)

        def unfit(stream: str, reason: str) -> None:
            text, _, advice = reason.partition("; ")
            finding = problem("refused", f"no model for it, waiting for other streams: {text}", advice)
            if on_notice:
                on_notice(Notice(stream, finding))

        looking = asyncio.create_task(watch.keep_looking(look))
        try:
            self._begun = await begin(
                self.source, lambda chunk: observers.push(chunk, time.monotonic()), unfit if on_notice else None
            )
        finally:
            if not looking.cancel():
                looking.result()  # raises the error of a check
        if self._begun.offer is not None:
            self._choice = default_model(self.source, self.options.worn, self.options.axes, self._begun.offer)

    def build(self, *, on_notice: OnLine | None = None, on_progress: Progress | None = None) -> Session:
        """The session, ready to run. Arguments and errors are those of ``build_run``."""
        on_notice, options = on_notice or _ignore, self.options
        if self._rerun:
            self._rerun.conclude(*_conclusions(options, self._rerun.pipeline.engine.model))
            return self._rerun
        choice = self._choice
        if options.model is None and choice is None:
            choice = assumed_model(options.worn)
        model_text = options.model if choice is None else choice.name
        assert model_text is not None
        model = load_model(find_model(model_text))
        engine = Engine(model)
        # Every option is checked before the measuring, which takes time.
        concluder, episodes = _conclusions(options, model)
        hop = options.hop(model)
        channel_map = _channel_map(options.axes, model, on_notice) if options.axes else None
        battery = make_battery(options.battery) if options.battery else None
        energy = read_energy_model(options.energy) if options.energy else None
        policy_text = explicit_policy(DEFAULT_POLICY if options.policy is None else options.policy, model)
        pipeline = build_pipeline(
            engine,
            policy_text,
            battery=battery,
            deadline_ms=options.deadline_ms,
            hop=hop,
            max_gap_s=options.max_gap_s,
            min_coverage=options.min_coverage,
            channel_map=channel_map,
            energy=energy,
            everything=options.all_subnets,
            progress=on_progress,
        )
        recorder = _recorder(options.record, self.source, pipeline, model_text, on_notice) if options.record else None
        session = Session(
            self.source,
            pipeline,
            model_name=model.name,
            policy_text=policy_text,
            limit_s=options.limit_s,
            recorder=recorder,
            chunks=self._begun.chunks if self._begun else None,
            watch=self._watch,
        )
        session.conclude(concluder, episodes)
        if choice is not None:
            on_notice(str(choice))
        return session


def is_rerun(options: RunOptions) -> bool:
    """Whether the source is a recorded run that no option changes."""
    if options.changes_run or not Path(options.source).is_dir():
        return False
    from kinestream.recording.rerun import can_rerun
    from kinestream.replay_data.recordings import is_recording

    return is_recording(options.source) and can_rerun(Path(options.source))


def _ignore(line: str) -> None:
    """Show nothing."""


def _conclusions(options: RunOptions, model: Model) -> tuple[Concluder | None, EpisodeFinder | None]:
    concluder = build_concluder(model, smooth=options.smooth, unknown_below=options.unknown_below)
    episodes = None
    if options.min_episode_s is not None:
        episodes = EpisodeFinder(options.min_episode_s)
    elif options.episodes:
        episodes = EpisodeFinder()
    return concluder, episodes


def _channel_map(axes: str, model: Model, on_notice: OnLine) -> ChannelMap:
    """The map that ``axes`` gives, with a notice if its file was made for a sensor worn elsewhere than the model's."""
    if not is_axes_file(axes):
        return ChannelMap.parse(axes)
    axes_file, orientation = read_axes_file(Path(axes)), orientation_of(model.card)
    if axes_file.model and axes_file.worn != (orientation.name if orientation else ""):
        command = f"kinestream wear SOURCE --model {model.name}"
        on_notice(f"{axes} was made for {axes_file.model}, whose sensor is worn elsewhere; make another: {command}")
    return axes_file.channel_map


def _rerun(options: RunOptions) -> Session:
    from kinestream.recording.rerun import RerunSession

    if options.record:
        raise ConfigError(
            f"{options.source} is recorded already; name a --model or --policy to record another run of it"
        )
    source = open_source(options.source, options.source_options)  # refuses options a recording cannot heed
    assert isinstance(source, Playback)
    return RerunSession(
        Path(options.source), speed=source.speed, limit_s=options.limit_s, min_coverage=options.min_coverage
    )


def _recorder(folder: Path, source: Source, pipeline: Pipeline, model_text: str, on_failure: OnLine) -> Recorder:
    from kinestream.recording.manifest import describe
    from kinestream.recording.recorder import Recorder

    model = str(Path(model_text).resolve()) if Path(model_text).is_file() else model_text
    about = describe(source_name=source.name, live=source.live, pipeline=pipeline, model=model)
    return Recorder(folder, about, live=source.live, on_failure=on_failure)
