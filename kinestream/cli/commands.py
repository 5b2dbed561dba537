"""All commands: each module adds its own, and a command loads what it needs when it runs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from kinestream import __version__
from kinestream.core.errors import ConfigError

from . import (
    adapt,
    calibrate,
    data,
    decode,
    energy,
    evaluate,
    models,
    record,
    relay,
    run,
    scan,
    serve,
    train,
    tune,
    wear,
)
from .terminal import show

EXAMPLES = """\
examples:
  kinestream demo                                     a synthetic wearer on the dashboard
  kinestream data list                                the known datasets, and where they are expected
  kinestream replay hapt --subject 2 --speed 10       a recorded person, ten times faster
  kinestream replay walk.csv --policy fixed:0.5x-128  your own recording on one subnetwork
  kinestream run zmq+tcp://127.0.0.1:5556 --json      a live stream, predictions as JSON lines
  kinestream run zmq+tcp://127.0.0.1:5556 --record monday; kinestream replay monday
                                                      record a run, and repeat it bit for bit
  kinestream table uci_cnn                            what each subnetwork costs on this machine
"""


class Parser(argparse.ArgumentParser):
    """Prints what is wrong with the arguments through ``show``: they can be names of files."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        show(f"{self.prog}: error: {message}", out=sys.stderr)
        raise SystemExit(2)


def build_parser() -> argparse.ArgumentParser:
    from rich_argparse import RawDescriptionRichHelpFormatter

    parser = Parser(
        prog="kinestream",
        description="Recognise activities live from a wearable motion sensor. One neural network shrinks\n"
        "window by window, to save battery or meet a deadline.",
        epilog=EXAMPLES,
        formatter_class=RawDescriptionRichHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"kinestream {__version__}")
    parser.add_argument("-v", "--verbose", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    watching, learning = (run, serve, record, relay, scan, wear, decode), (train, adapt, calibrate, evaluate)
    for module in (*watching, tune, models, energy, data, *learning):
        module.add_parser(commands)
    _format(commands, RawDescriptionRichHelpFormatter)
    return parser


def _format(commands: argparse._SubParsersAction, formatter: type[argparse.HelpFormatter]) -> None:
    """Use one help format for every command and its subcommands."""
    for command in commands.choices.values():
        command.formatter_class = formatter
        for action in command._actions:
            if isinstance(action, argparse._SubParsersAction):
                _format(action, formatter)


def _refuse_unknown_command(parser: argparse.ArgumentParser, name: str) -> None:
    """Raises ConfigError: no command has this name; the message has the nearest one."""
    commands = next(action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    if name.startswith("-") or name in commands:
        return
    from kinestream.core.did_you_mean import unknown

    raise ConfigError(f"{unknown('command', name, commands)}; kinestream --help explains each")


def run_command(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status.

    Raises:
        KinestreamError: the command failed.
        SystemExit: the arguments are wrong, or ask for help.
    """
    parser = build_parser()
    if not arguments:
        parser.print_help()
        return 0
    _refuse_unknown_command(parser, arguments[0])
    args = parser.parse_args(arguments)
    return args.run(args)
