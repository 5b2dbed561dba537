"""The measured figures, read from small JSON files in the formats of ``benchmarks/results/README.md``.

Reading is lenient: a file's content decides its kind, missing values stay unknown, and an invalid file or row is left
out and listed with the reason.
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
"""The suffix of a file with several seeds of one model; the model's name precedes it."""

MEASURES = ("accuracy", "macro_f1")
MALFORMED = (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, KinestreamError)
"""The errors that an unexpected layout raises."""


def read_results(folder: Path | None, run_dirs: Sequence[Path] = ()) -> Results:
    """The results of all JSON files of the folder, then of the runs; a later run replaces the same run from a file.

    Args:
        folder: a folder of JSON files; None: only the runs.
        run_dirs: folders of finished runs.
    Raises:
        DataMissing: the folder does not exist.
        ConfigError: a run has no figures. DataDamaged: its figures are not a JSON table.
    """
    results = Results()
    if folder is not None:
        if not folder.is_dir():
            raise DataMissing(f"no folder {folder}; name the folder of the JSON files with --results")
        for path in sorted(folder.glob("*.json")):
            try:
                _take(results, path.stem, path.name, json.loads(path.read_text("utf-8")))
            except (*MALFORMED, OSError) as error:
                results.left_out[path.name] = f"not in the format of the folder's README.md: {_reason(error)}"
    for path in run_dirs:
        folder_of_run = path.parent if path.name == SCORES else path
        values = read_scores(folder_of_run)
        try:
            _take(results, folder_of_run.name, f"{folder_of_run.name}/{SCORES}", values)
        except MALFORMED as error:
            raise ConfigError(f"{path} does not hold a run's figures: {_reason(error)}") from error
    latest = {(r.model, r.protocol, r.leaky, r.part, r.fold, r.seed): r for r in results.runs}
    results.runs[:] = latest.values()
    return results


def _take(results: Results, stem: str, file: str, values: Any) -> None:
    """Add the content of a file to the results."""
    if "ways" in values:
        results.worn[stem.removeprefix("worn_")] = _worn(values)
    elif "rows" in values:
        results.tables[stem] = _table(values, file, results.left_out)
    elif values and all(key.isdecimal() for key in values):
        model = stem.removesuffix(SEED_FILES)
        results.runs.extend([_seed(model, int(seed), entry) for seed, entry in values.items()])
    else:
        results.runs.append(_run(values))
    results.read.append(file)


def _run(values: Mapping[str, Any]) -> Run:
    """A run from its folder's ``metrics.json``, or from the output of ``kinestream evaluate --json``."""
    part = "validation" if "validation" in values and not values.get("test") else "test"
    figures = values["test"] if values.get("test") else values.get("validation", values)
    model = str(values["model"])
    recipe = _recipe_of(model)
    if "recipe" in values:
        with suppress(ConfigError):  # written by another version: use the recipe of that name
            recipe = parse_recipe(values["recipe"])
    command = values.get("command") or f"kinestream evaluate {model} --json"
    return _made(figures, model=model, part=part, recipe=recipe, command=command)


def _seed(model: str, seed: int, values: Mapping[str, Any]) -> Run:
    recipe = _recipe_of(model)
    trained = _by_name().get(model, model)
    command = values.get("command") or f"kinestream train --model_name {trained} --seed {seed} --test"
    figures = {"definition": values["protocol"], **values, "seeds": {"training": seed}}
    figures["protocol"] = values.get("protocol_name") or _protocol_in(values["protocol"])
    return _made(figures, model=model, part="test", recipe=recipe, command=command)


def _made(values: Mapping[str, Any], *, model: str, part: str, recipe: Recipe | None, command: str) -> Run:
    data = recipe.data if recipe else None
    if not values["accuracy"]:
        raise ValueError("it has no accuracy")
    return Run(
        model=model,
        protocol=str(values.get("protocol") or (data.protocol if data else "") or "official"),
        definition=str(values.get("definition") or (data.description if data else "unknown protocol")),
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
    )


def _score(values: Mapping[str, Any]) -> dict[str, Any]:
    """A subnetwork's measures, and its classes and confusion if there are any."""
    measures = {key: _share(values[key]) for key in MEASURES if values.get(key) is not None}
    if "confusion" not in values:
        return measures
    kinds = ("precision", "recall", "f1")
    classes = {
        name: {kind: None if score[kind] is None else _share(score[kind]) for kind in kinds}
        for name, score in values["classes"].items()
    }
    confusion = [[int(count) for count in line] for line in values["confusion"]]
    if {len(classes)} != {len(confusion), *map(len, confusion)}:
        raise ValueError(f"the confusion does not have {len(classes)} rows and columns")
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
    part = "validation" if table.get("part") == "validation" else "test"
    accuracy = row.get("accuracy", row.get(part))
    subnet = row.get("subnet")
    return Row(
        name=str(row["name"]),
        network=str(row.get("network") or ""),
        subnet=Subnet.parse(subnet) if subnet else None,
        macs=_positive(row.get("macs")),
        latency_us=_positive(row.get("latency_us")),
        accuracy=_shares(accuracy),
        macro_f1=_shares(row.get("macro_f1")),
        validation=_shares(row.get("validation")),
        minutes=None if row.get("minutes") is None else float(row["minutes"]),
        interval=tuple(float(end) for end in row.get("gain_interval_95") or ()),
        note=str(row.get("note") or ""),
        leaky=bool(row.get("leaky", table.get("leaky", False))),
    )


def _worn(values: Mapping[str, Any]) -> Worn:
    ways = tuple(map(_way, values["ways"]))
    if not (ways and ways[0].accuracy):
        raise ValueError("its first way has no accuracy")
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
    """A cost; None if it was not measured."""
    if value is None:
        return None
    if not 0 < float(value) < inf:
        raise ValueError(f"{value} is not a positive number")
    return float(value)


def _share(value: Any) -> float:
    if not 0 <= float(value) <= 1:
        raise ValueError(f"{value} is not a share between 0 and 1")
    return float(value)


def _protocol_in(words: str) -> str:
    """The protocol's name, from the sentence that defines it."""
    named = re.search(r"protocol (\w+):", words)
    return named[1] if named else "official" if "official" in words else "holdout"


@cache
def _by_name() -> dict[str, str]:
    """The name of the bundled recipe that makes each model."""
    return {load_recipe(name).name: name for name in recipe_names() if name not in OVERLAYS}


def _recipe_of(model: str) -> Recipe | None:
    return load_recipe(_by_name()[model]) if model in _by_name() else None


def _reason(error: BaseException) -> str:
    return f"no key {error}" if isinstance(error, KeyError) else str(error)
