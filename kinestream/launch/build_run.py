"""From the command line's words to a source and a session."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from kinestream.core.errors import ConfigError
from kinestream.core.source import Playback, Source
from kinestream.energy.energy_model import read_energy_model
from kinestream.inference import Engine, Model, find_model, load_model
from kinestream.interpret.concluder import Concluder
from kinestream.interpret.episodes import EpisodeFinder
from kinestream.policy import make_battery
from kinestream.run.pipeline import Pipeline
from kinestream.run.session import Session
from kinestream.sensor_check.axes_file import is_axes_file, read_axes_file
from kinestream.sensor_check.orientation import orientation_of
from kinestream.windowing import ChannelMap

from .build_pipeline import build_pipeline, explicit_policy
from .open_source import SourceOptions, open_source, parse_speed

if TYPE_CHECKING:
    from kinestream.recording.recorder import Recorder


def build_source(args: argparse.Namespace) -> Source:
    speed = None if args.speed is None else parse_speed(args.speed)
    options = SourceOptions(
        args.data, tuple(args.subject), args.columns, speed, args.loop, args.together, args.insecure
    )
    return open_source(args.source, options)


MODEL = "uci_cnn"
POLICY = "fixed"
"""What runs where nothing else is asked for."""


def build_session(args: argparse.Namespace) -> Session:
    """The session the options describe; a recorded run, if nothing is said of how to run it, as it was.

    Raises:
        KinestreamError: an option, the model, or the source is not what it should be.
    """
    if is_rerun(args):
        again = _rerun(args)
        again.conclude(*_conclusions(args, again.pipeline.engine.model))
        return again
    source = build_source(args)
    found_as = args.model or MODEL
    model = load_model(find_model(found_as))
    engine = Engine(model)
    # All that can be wrong at once is looked at before anything is measured.
    if args.deadline is not None and not args.deadline > 0:
        raise ConfigError(f"--deadline {args.deadline:g}: expected a positive number of milliseconds")
    if args.limit is not None and not args.limit > 0:
        raise ConfigError(f"--limit {args.limit:g}: expected a positive number of seconds")
    concluder, episodes = _conclusions(args, model)
    hop = _hop(args.hop, model)
    channel_map = _channel_map(args.axes, model) if args.axes else None
    battery = make_battery(args.battery) if args.battery else None
    energy = read_energy_model(args.energy) if args.energy else None
    policy_text = explicit_policy(POLICY if args.policy is None else args.policy, model)
    pipeline = build_pipeline(
        engine,
        policy_text,
        battery=battery,
        deadline_ms=args.deadline,
        hop=hop,
        max_gap_s=args.max_gap,
        channel_map=channel_map,
        energy=energy,
        everything=getattr(args, "dashboard", False),
        progress=_progress("measuring every subnetwork on this machine, once"),
    )
    recorder = _recorder(args, source, pipeline, found_as) if args.record else None
    session = Session(
        source, pipeline, model_name=model.name, policy_text=policy_text, limit_s=args.limit, recorder=recorder
    )
    session.conclude(concluder, episodes)
    return session


def _conclusions(args: argparse.Namespace, model: Model) -> tuple[Concluder | None, EpisodeFinder | None]:
    """What ``--smooth``, ``--unknown`` and ``--episodes`` ask for."""
    concluder = episodes = None
    if args.smooth or args.unknown is not None:
        concluder = Concluder(
            model.calibration,
            len(model.labels),
            model.input.window_s,
            smooth=args.smooth,
            unknown_below=args.unknown or 0.0,
        )
    if args.episodes or args.min_episode is not None:
        episodes = EpisodeFinder() if args.min_episode is None else EpisodeFinder(args.min_episode)
    return concluder, episodes


def _channel_map(text: str, model: Model) -> ChannelMap:
    """What ``--axes`` says; told where a file was made for a sensor worn in another place than this model's."""
    if not is_axes_file(text):
        return ChannelMap.parse(text)
    found, orientation = read_axes_file(Path(text)), orientation_of(model.card)
    if found.model and found.worn != (orientation.name if orientation else ""):
        again = f"kinestream wear SOURCE --model {model.name}"
        say(f"{text} was made for {found.model}, whose sensor is worn otherwise: make another with {again}")
    return found.channel_map


def is_rerun(args: argparse.Namespace) -> bool:
    """Whether the source is a recorded run, and nothing was said of running it otherwise."""
    told = (args.model, args.policy, args.deadline, args.battery, args.energy, args.hop, args.max_gap, args.axes)
    if any(one is not None for one in told) or not Path(args.source).is_dir():
        return False
    from kinestream.recording.rerun import can_rerun
    from kinestream.replay_data.recordings import is_recording

    return is_recording(args.source) and can_rerun(Path(args.source))


def _rerun(args: argparse.Namespace) -> Session:
    from kinestream.recording.rerun import RerunSession

    if args.record:
        raise ConfigError(f"{args.source} is recorded already; name a --model or --policy to record another run of it")
    source = build_source(args)  # refuses what a recording cannot heed
    assert isinstance(source, Playback)
    return RerunSession(Path(args.source), speed=source.speed, limit_s=args.limit)


def _recorder(args: argparse.Namespace, source: Source, pipeline: Pipeline, found_as: str) -> Recorder:
    from kinestream.recording.recorder import Recorder, describe

    model = str(Path(found_as).resolve()) if Path(found_as).is_file() else found_as
    about = describe(source_name=source.name, live=source.live, pipeline=pipeline, model=model)
    quiet = getattr(args, "dashboard", False)  # what is printed there spoils the screen; the summary says it
    return Recorder(args.record, about, live=source.live, on_failure=_ignore if quiet else say)


def say(line: str) -> None:
    """One line for the person at the terminal."""
    print(f"kinestream: {line}", file=sys.stderr, flush=True)


def _ignore(line: str) -> None:
    """Nobody is told now."""


def _progress(what: str) -> Callable[[int, int], None]:
    def show(done: int, total: int) -> None:
        if sys.stderr.isatty() and (done % 50 == 0 or done == total):
            print(f"\r{what}: {done / total:4.0%} ", end="\n" if done == total else "", file=sys.stderr, flush=True)

    return show


def _hop(hop_s: float | None, model: Model) -> int | None:
    if hop_s is None:
        return None
    samples = hop_s * model.input.fs_hz
    if not (math.isfinite(samples) and 1 <= round(samples) <= model.input.length):
        raise ConfigError(
            f"--hop {hop_s:g}: expected {1 / model.input.fs_hz:.3f} to {model.input.window_s:g} s for {model.name}"
        )
    return round(samples)
