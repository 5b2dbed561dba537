"""The command line. Each module adds its commands; a command loads what it needs when it runs."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from kinestream import __version__
from kinestream.core.errors import ConfigError, KinestreamError

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


def build_parser() -> argparse.ArgumentParser:
    from rich_argparse import RawDescriptionRichHelpFormatter

    parser = argparse.ArgumentParser(
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0: done. 1: failed. 2: wrong use. The reason is one line on standard error.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    # -v works before and after the command's name.
    verbose = any(argument in ("-v", "--verbose") for argument in arguments)
    arguments = [argument for argument in arguments if argument not in ("-v", "--verbose")]
    parser = build_parser()
    if not arguments:
        parser.print_help()
        return 0
    try:
        _refuse_unknown_command(parser, arguments[0])
        args = parser.parse_args(arguments)
        return args.run(args)
    except KinestreamError as error:
        if verbose:
            raise
        print(f"kinestream: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output (`| head`) is gone; Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
