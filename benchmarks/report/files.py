"""The measured figures as the report needs them, read from small JSON files.

``benchmarks/results/README.md`` tells their layout. Reading is lenient: a file is told by its content, what it leaves
out stays unknown, and a file or row that makes no sense is left out with the reason, never in silence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from math import inf
from pathlib import Path
from typing import Any

from kinestream.core.errors import ConfigError, DataMissing, KinestreamError
from kinestream.core.signals import Subnet
from kinestream.train.fit.run_folder import SCORES, read_scores
from kinestream.train.recipe.recipe_toml import OVERLAYS, load_recipe, parse_recipe, recipe_names
from kinestream.train.recipe.schema import Recipe

from .values import Results, Row, Run, Table, Way, Worn

SEED_FILES = "_seeds"
"""Ends the name of a file with several seeds of one model; what stands before it is the model."""

MEASURES = ("accuracy", "macro_f1", "calibration_error")
MALFORMED = (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, KinestreamError)
"""What reading values of another layout than expected comes to."""


def read_results(folder: Path | None, run_dirs: Sequence[Path] = ()) -> Results:
    """All JSON files of the folder, then the runs: of two runs of one model, protocol, fold and seed the last counts.

    Args:
        folder: of small JSON files; None: only the runs.
        run_dirs: folders of finished runs.
    Raises:
        DataMissing: there is no such folder.
        ConfigError: a named run has no figures. DataDamaged: they are no JSON table.
    """
    found = Results()
    if folder is not None:
        if not folder.is_dir():
            raise DataMissing(f"no folder {folder}; name the one with the figures' JSON files with --results")
        for path in sorted(folder.glob("*.json")):
            try:
                _take(found, path.stem, path.name, json.loads(path.read_text("utf-8")))
            except (*MALFORMED, OSError) as error:
                found.left_out[path.name] = f"not laid out as the folder's README.md says: {_reason(error)}"
    for path in run_dirs:
        folder_of_run = path.parent if path.name == SCORES else path
        values = read_scores(folder_of_run)
        try:
            _take(found, folder_of_run.name, f"{folder_of_run.name}/{SCORES}", values)
        except MALFORMED as error:
            raise ConfigError(f"{path} holds no figures of a run: {_reason(error)}") from error
    latest = {(r.model, r.protocol, r.leaky, r.part, r.fold, r.seed): r for r in found.runs}
    found.runs[:] = latest.values()
    return found


def _take(found: Results, stem: str, file: str, values: Any) -> None:
    """Put what a file holds where it belongs."""
    if "ways" in values:
        found.worn[stem.removeprefix("worn_")] = _worn(values)
    elif "rows" in values:
        found.tables[stem] = _table(values, file, found.left_out)
    elif values and all(key.isdecimal() for key in values):
        model = stem.removesuffix(SEED_FILES)
        found.runs.extend([_seed(model, int(seed), entry, file) for seed, entry in values.items()])
    elif "runs" in values:
        found.runs.extend(_pooled(values, file))
    else:
        found.runs.append(_run(values, file))
    found.read.append(file)


def _run(values: Mapping[str, Any], file: str) -> Run:
    """A run folder's ``metrics.json``, or what ``kinestream evaluate --json`` prints."""
    part = "validation" if "validation" in values and not values.get("test") else "test"
    judged = values["test"] if values.get("test") else values.get("validation", values)
    model = str(values["model"])
    recipe = _recipe_of(model)
    if "recipe" in values:
        with suppress(ConfigError):  # of another version: what the name tells has to do
            recipe = parse_recipe(values["recipe"])
    command = values.get("command") or f"kinestream evaluate {model} --json"
    return _made(judged, file, model=model, part=part, recipe=recipe, command=command)


def _seed(model: str, seed: int, values: Mapping[str, Any], file: str) -> Run:
    recipe = _recipe_of(model)
    trained = _by_name().get(model, model)
    command = values.get("command") or f"kinestream train --model_name {trained} --seed {seed} --test"
    words = {"definition": values["protocol"], **values, "seeds": {"training": seed}}
    words["protocol"] = values.get("protocol_name") or _protocol_in(values["protocol"])
    return _made(words, file, model=model, part="test", recipe=recipe, command=command)


def _pooled(values: Mapping[str, Any], file: str) -> list[Run]:
    """What ``kinestream evaluate --folds --json`` prints: each run's own figures, of the subnetworks it tells."""
    told = {key: values[key] for key in ("protocol", "definition", "leaky", "folds") if key in values}
    runs: list[Run] = []
    for one in values["runs"]:
        names = one["accuracy"]
        scores = {name: {kind: one[kind][name] for kind in ("accuracy", "macro_f1")} for name in names}
        entry = told | {"fold": one["fold"], "seeds": {"training": one["seed"]}, "accuracy": names, "scores": scores}
        model = str(values["model"])
        command = f"kinestream evaluate --folds {' '.join(run['run'] for run in values['runs'])} --json"
        runs.append(_made(entry, file, model=model, part="test", recipe=_recipe_of(model), command=command))
    return runs


def _made(values: Mapping[str, Any], file: str, *, model: str, part: str, recipe: Recipe | None, command: str) -> Run:
    data = recipe.data if recipe else None
    if not values["accuracy"]:
        raise ValueError("it tells no accuracy")
    return Run(
        model=model,
        protocol=str(values.get("protocol") or (data.protocol if data else "") or "official"),
        words=str(values.get("definition") or (data.description if data else "protocol not told")),
        part=part,
        leaky=bool(values.get("leaky", values.get("protocol") == "leaky")),
        seen=bool(values.get("seen_in_training", False)),
        seed=int(values.get("seeds", {}).get("training", recipe.seed if recipe else 0)),
        fold=int(values.get("fold", 1)),
        folds=int(values.get("folds", 1)),
        windows=values.get("windows"),
        accuracy={Subnet.parse(name): _share(value) for name, value in values["accuracy"].items()},
        scores={Subnet.parse(name): _score(score) for name, score in values.get("scores", {}).items()},
        architecture=recipe.network.architecture if recipe else None,
        epochs=recipe.training.epochs if recipe else None,
        command=command,
        file=file,
    )


def _score(values: Mapping[str, Any]) -> dict[str, Any]:
    """All measures of a subnetwork, the confusion only with its classes."""
    measures = {key: _share(values[key]) for key in MEASURES if values.get(key) is not None}
    if "confusion" not in values:
        return measures
    kinds = ("precision", "recall", "f1")
    classes = {
        name: {kind: None if told[kind] is None else _share(told[kind]) for kind in kinds}
        for name, told in values["classes"].items()
    }
    confusion = [[int(count) for count in line] for line in values["confusion"]]
    if {len(classes)} != {len(confusion), *map(len, confusion)}:
        raise ValueError(f"the confusion is not of {len(classes)} classes")
    return {**measures, "classes": classes, "confusion": confusion}


def _table(values: Mapping[str, Any], file: str, left_out: dict[str, str]) -> Table:
    rows: list[Row] = []
    for number, row in enumerate(values["rows"], start=1):
        try:
            rows.append(_row(row, values))
        except MALFORMED as error:
            left_out[f"{file}, row {number}"] = _reason(error)
    texts = {key: str(values.get(key) or "") for key in ("command", "protocol", "machine")}
    part, over = str(values.get("part") or "test"), str(values.get("over") or "seeds")
    known = {"title", "part", "over", "rows", *texts}
    more = {key: value for key, value in values.items() if key not in known}
    return Table(title=str(values.get("title") or file), part=part, over=over, rows=tuple(rows), more=more, **texts)


def _row(row: Mapping[str, Any], table: Mapping[str, Any]) -> Row:
    told = "validation" if table.get("part") == "validation" else "test"
    accuracy = row.get("accuracy", row.get(told))
    subnet = row.get("subnet")
    return Row(
        name=str(row["name"]),
        network=str(row.get("network") or ""),
        subnet=Subnet.parse(subnet) if subnet else None,
        macs=_positive(row.get("macs")),
        latency_us=_positive(row.get("latency_us")),
        seeds=tuple(row.get("seeds") or ()),
        accuracy=_shares(accuracy),
        macro_f1=_shares(row.get("macro_f1")),
        validation=_shares(row.get("validation")),
        minutes=None if row.get("minutes") is None else float(row["minutes"]),
        interval=tuple(float(end) for end in row.get("gain_interval_95") or ()),
        note=str(row.get("note") or ""),
        command=str(row.get("command") or table.get("command") or ""),
        protocol=str(row.get("protocol") or table.get("protocol") or ""),
        leaky=bool(row.get("leaky", table.get("leaky", False))),
    )


def _worn(values: Mapping[str, Any]) -> Worn:
    ways = tuple(map(_way, values["ways"]))
    if not (ways and ways[0].accuracy):
        raise ValueError("the first way tells no accuracy")
    return Worn(ways, *(str(values.get(key, "")) for key in ("command", "trained", "protocol")))


def _way(row: Mapping[str, Any]) -> Way:
    accuracy = {Subnet.parse(name): _share(value) for name, value in row["accuracy"].items()}
    return Way(str(row["worn"]), int(row.get("windows", 0)), bool(row.get("refused", False)), accuracy)


def _shares(values: Any) -> tuple[float, ...]:
    if values is None:
        return ()
    listed: Iterable[Any] = values if isinstance(values, list) else [values]
    return tuple(_share(value) for value in listed if value is not None)


def _positive(value: Any) -> float | None:
    """None where it was not measured."""
    if value is None:
        return None
    if not 0 < float(value) < inf:
        raise ValueError(f"{value} is no cost")
    return float(value)


def _share(value: Any) -> float:
    if not 0 <= float(value) <= 1:
        raise ValueError(f"{value} is no share between 0 and 1")
    return float(value)


def _protocol_in(words: str) -> str:
    """The protocol's name in the sentence that describes it."""
    named = re.search(r"protocol (\w+):", words)
    return named[1] if named else "official" if "official" in words else "holdout"


@cache
def _by_name() -> dict[str, str]:
    """The model each bundled recipe makes: its recipe's name."""
    return {load_recipe(name).name: name for name in recipe_names() if name not in OVERLAYS}


def _recipe_of(model: str) -> Recipe | None:
    return load_recipe(_by_name()[model]) if model in _by_name() else None


def _reason(error: BaseException) -> str:
    return f"no key {error}" if isinstance(error, KeyError) else str(error)
