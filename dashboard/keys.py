"""The keys of the dashboard; keys with a tooltip appear on the help page and in the command palette."""

from __future__ import annotations

from textual.binding import Binding

SEEK_S, LONG_SEEK_S = 10.0, 60.0


def _key(key: str, action: str, name: str, tooltip: str = "", shown_as: str = "", *, show: bool = False) -> Binding:
    return Binding(key, action, name, show=show, key_display=shown_as or None, tooltip=tooltip)


KEYS = [
    _key("space", "pause", "pause", "pause a recording; freeze the picture of a live stream", show=True),
    _key("full_stop", "step", "step", "play to the next window and pause", "."),
    _key("right", f"seek({SEEK_S})", "seek", "seek 10 s; with shift 60 s", "←/→"),
    _key("left", f"seek({-SEEK_S})", "back"),
    _key("shift+right", f"seek({LONG_SEEK_S})", "far"),
    _key("shift+left", f"seek({-LONG_SEEK_S})", "far back"),
    _key("plus,equals_sign", "speed(1)", "speed", "play faster or slower", "+/-"),
    _key("minus", "speed(-1)", "slower"),
    _key("a", "activity", "activity", "go to the next activity"),
    _key("p", "policy", "policy", "use the next policy", show=True),
    _key("e", "edit", "edit", "change the policy's settings: arrows change, enter types", show=True),
    _key("w", "save", "save", "save the policy as TOML"),
    _key("g", "grid", "grid", "choose a subnetwork: arrows move, enter pins or unpins", show=True),
    _key("u", "unpin", "unpin", "unpin the subnetwork"),
    _key("m", "metric", "colours", "colour the grid by accuracy, latency or energy"),
    _key("d", "deadline(-1)", "deadline", "deadline shorter or longer", "d/D", show=True),
    _key("D", "deadline(1)", "longer"),
    _key("h", "hop(1)", "hop", "predict fewer or more of the windows", "h/H"),
    _key("H", "hop(-1)", "shorter"),
    _key("b", "battery(-1)", "battery", "simulated battery down or up", "b/B", show=True),
    _key("B", "battery(1)", "up"),
    _key("t", "sensor", "sensor", "show the traces of the next sensor"),
    _key("n", "stream", "stream", "show the next stream"),
    _key("l", "streams", "streams", "list the streams and choose one"),
    _key("v", "page", "page", "small terminals: next page", show=True),
    _key("slash", "filter", "filter", "filter the log by words", "/"),
    _key("i", "notices", "notices", "show all alarms and notices"),
    _key("s", "picture", "picture", "save a screenshot as SVG in the current folder"),
    _key("question_mark", "help", "help", "show this page", "?", show=True),
    _key("q", "quit", "quit", "quit and print the summary", show=True),
    _key("ctrl+p", "command_palette", "commands", "find a command by name", "ctrl+p"),
    Binding("escape", "escape", show=False),
    Binding("ctrl+c", "quit", show=False, priority=True),
]
