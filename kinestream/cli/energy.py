"""``kinestream energy`` and ``kinestream calibrate-energy``: energy models of devices, and measuring this machine."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kinestream.core.errors import ConfigError

from .terminal import show

if TYPE_CHECKING:
    import argparse


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add both commands."""
    energy = subparsers.add_parser("energy", help="list the energy models of devices, or show one with its sources")
    energy.add_argument(
        "model", metavar="M", nargs="?", help="a bundled energy model or a file.toml (default: list all)"
    )
    energy.add_argument("--json", action="store_true", help="print JSON")
    energy.set_defaults(run=run_energy)
    fit = subparsers.add_parser(
        "calibrate-energy",
        help="measure what one busy core of this machine draws",
        description="Compare this machine computing on one core with the idle machine, by RAPL's energy counter\n"
        "or by its discharging battery, and write an energy model. Fails if the machine does not report its power.",
    )
    fit.add_argument("--model", metavar="M", default="uci_cnn", help="the network to compute (default %(default)s)")
    fit.add_argument("--seconds", type=float, default=20.0, help="length of each period (default %(default)s)")
    fit.add_argument("--rounds", type=int, default=5, help="number of busy periods (default %(default)s)")
    fit.add_argument(
        "--out", type=Path, metavar="FILE", default=Path("my_machine.toml"), help="the file (default %(default)s)"
    )
    fit.add_argument("--sys", type=Path, metavar="DIR", default=Path("/sys"), help="folder of the kernel's files")
    fit.set_defaults(run=run_fit)


def run_energy(args: argparse.Namespace) -> int:
    """Print the names of the models, or the coefficients of one model with their sources."""
    from dataclasses import asdict

    from kinestream.core.signals import Sensing
    from kinestream.energy.energy_model import energy_model_names, read_energy_model

    if args.model is None:
        models = [read_energy_model(name) for name in energy_model_names()]
        if args.json:
            show(json.dumps([{"name": model.name, "about": model.about} for model in models]))
        else:
            for model in models:
                show(f"{model.name:<28} {model.about}")
        return 0
    model = read_energy_model(args.model)
    if args.json:
        show(json.dumps(asdict(model)))
        return 0
    show(f"{model.name}: {model.about}")
    for part in ("processor", "radio", "sensor"):
        values = getattr(model, part)
        for key, value in (asdict(values) if values else {}).items():
            text = ", ".join(f"{mw:g} mW at {hz:g} Hz" for hz, mw in value) if isinstance(value, tuple) else value
            source = model.sources.get(f"{part}.{key}", model.sources.get(part, ""))
            show(f"  {part}.{key} = {text}", *([f"      {source}"] if source else []))
    show("estimated without any inference:")
    for sensing in (Sensing(hz, gyro) for hz in (50, 20) for gyro in (True, False)):
        show(f"  {model.base_mw(sensing):8.3f} mW  {sensing}")
    return 0


def run_fit(args: argparse.Namespace) -> int:
    """Measure; print the file's path to standard output and the result to standard error."""
    import time

    import numpy as np

    from kinestream.energy.fit import fit
    from kinestream.inference import Engine, find_model, load_model

    if args.out.exists():
        raise ConfigError(f"{args.out} exists; choose another file with --out")
    model = load_model(find_model(args.model))
    engine = Engine(model)
    x = np.zeros((model.input.length, len(model.mean)), np.float32) + model.mean

    def busy(seconds: float) -> None:
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            engine.predict(x, model.full)

    engine.warm([model.full])
    result = fit(busy, time.sleep, seconds=args.seconds, rounds=args.rounds, sys=args.sys)
    try:
        args.out.write_text(result.toml(), "utf-8")
    except OSError as error:
        raise ConfigError(f"{args.out}: {error.strerror or error}") from None
    show(
        f"one busy core draws {result.power_mw / 1000:.2f} W ({result.low_mw / 1000:.2f} to "
        f"{result.high_mw / 1000:.2f}) by {result.gauge}; idle {result.idle_mw / 1000:.2f} W",
        out=sys.stderr,
    )
    show(args.out)
    return 0
