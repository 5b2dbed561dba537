"""The report: the files it reads, the figures it shows, and its tolerance of missing or invalid ones."""

from __future__ import annotations

import dataclasses
import json
import re
import tempfile
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.collect import collect
from benchmarks.report.files import read_results
from benchmarks.report.values import Spread, front, grouped, main_group, on_front
from kinestream.core.errors import ConfigError, DataMissing
from kinestream.core.signals import Subnet
from kinestream.inference.architecture import macs
from kinestream.inference.presets import PRESETS
from kinestream.train import load_recipe
from kinestream.train.judge.scores import score_of, to_json

pytest.importorskip("matplotlib", reason="the report draws with matplotlib")
from benchmarks.report.report import make_report, published_figures

COMMITTED = Path(__file__).resolve().parents[2] / "benchmarks" / "results"
LABELS = load_recipe("uci").data.labels


def seed(accuracy: float, **more: Any) -> dict[str, Any]:
    shares = {"1.00x-128": accuracy, "0.10x-96": accuracy - 0.02, "1.00x-96": accuracy, "0.10x-128": accuracy}
    return {"protocol": "rebuilt from HAPT, official subject split", "windows": 10, "accuracy": shares, **more}


def scores(right: int) -> dict[str, Any]:
    """The scores of ten windows of two people with ``right`` correct predictions."""
    import numpy as np

    truth = np.arange(10) % 2
    predicted = np.where(np.arange(10) < right, truth, 1 - truth)
    return to_json(score_of(np.eye(len(LABELS))[predicted], truth, np.arange(10) // 5), LABELS)


def metrics(number: int = 0, right: int = 9, *, model: str = "uci_cnn", protocol: str = "official") -> dict[str, Any]:
    """The parts of a run folder's ``metrics.json`` that the report reads."""
    test = {
        "protocol": protocol,
        "definition": f"made up; protocol {protocol}: two people",
        "leaky": protocol == "leaky",
        "fold": 1,
        "folds": 1,
        "seen_in_training": protocol == "leaky",
        "windows": 10,
        "seeds": {"split": 0, "training": number, "bootstrap": 0},
        "subjects": {"test": ["0", "1"]},
        "accuracy": {"1.00x-128": right / 10, "0.10x-96": right / 10},
        "scores": {name: scores(right) for name in ("1.00x-128", "0.10x-96")},
    }
    recipe = json.loads(json.dumps(dataclasses.asdict(replace(load_recipe("uci"), name=model, seed=number))))
    return {"model": model, "command": f"train --seed {number}", "recipe": recipe, "test": test}


def write(folder: Path, **values: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in values.items():
        (folder / f"{name}.json").write_text(json.dumps(value))
    return folder


def table(*rows: dict[str, Any], **about: Any) -> dict[str, Any]:
    return {"title": "made up", "command": "measure it", "protocol": "some people", "rows": list(rows), **about}


def page(folder: Path, out: Path, *runs: Path) -> str:
    return make_report(folder, out, runs)[0].read_text("utf-8")


class TagChecker(HTMLParser):
    """Fails on a tag closed in the wrong order; ``open`` holds the tags never closed."""

    EMPTY = frozenset({"meta", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href")]
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def committed(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    out = tmp_path_factory.mktemp("report")
    return page(COMMITTED, out), out


def test_every_committed_file_is_read() -> None:
    results = read_results(COMMITTED)
    assert results.left_out == {}
    assert sorted(results.read) == sorted(path.name for path in COMMITTED.glob("*.json"))


def test_the_page_is_well_formed_and_loads_nothing_from_elsewhere(committed: tuple[str, Path]) -> None:
    reader = TagChecker()
    reader.feed(committed[0])
    assert reader.open == []
    links = [address for address in reader.addresses if not address.startswith(("#", "data:"))]
    assert all(link.startswith("https://") for link in links)  # to publications
    assert "<script" not in committed[0]
    assert not re.search(r"url\((?!#)|@import|<link|<img", committed[0])


def test_pictures_have_unique_ids_and_the_colours_of_the_page(committed: tuple[str, Path]) -> None:
    text, out = committed
    svgs = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(svgs) == len(list(out.glob("*.png"))) > 5
    ids = [name for svg in svgs for name in set(re.findall(r'\bid="([^"]+)"', svg))]
    assert len(ids) == len(set(ids))
    for svg in svgs:
        assert set(re.findall(r'(?:url\(|href=")#([^)"]+)', svg)) <= set(ids)
    assert "var(--cnn)" in text
    assert "#0072b2" not in "".join(svgs)


def test_the_same_files_give_the_same_page(tmp_path: Path) -> None:
    folder = write(tmp_path / "in", uci_cnn_seeds={"0": seed(0.9), "1": seed(0.92)})
    assert page(folder, tmp_path / "one") == page(folder, tmp_path / "two")


def test_an_empty_folder_gives_the_commands_that_make_the_figures(tmp_path: Path) -> None:
    text = page(write(tmp_path / "in"), tmp_path / "out")
    for command in (
        "kinestream data fetch wisdm &amp;&amp; kinestream train --model_name wisdm --test",
        "kinestream data fetch unimib &amp;&amp; kinestream train --model_name resnet_unimib --test",
        "kinestream train --model_name resnet_uci --test",
        "python benchmarks/front.py",
        "benchmarks.baselines",
        "benchmarks.ablation",
        "benchmarks.arena",
        "benchmarks/worn.py",
        "--protocol leaky",
    ):
        assert command in text
    assert text.count("data not available here") >= 4
    assert "96.71" in text  # a published figure


def test_seeds_become_a_mean_with_the_sample_deviation(tmp_path: Path) -> None:
    folder = write(tmp_path / "in", uci_cnn_seeds={"0": seed(0.90), "1": seed(0.92)})
    text = page(folder, tmp_path / "out")
    assert "91.00 ± 1.41" in text
    assert "2 seeds, each on 10 windows, 30 epochs" in text


def test_a_single_seed_has_no_deviation() -> None:
    assert str(Spread.of([0.9])) == "90.00"
    assert Spread.of([]) is None


def test_a_leaky_figure_is_marked_and_never_represents_the_model(tmp_path: Path) -> None:
    folder = write(tmp_path / "in", uci_cnn_leaky=metrics(right=10, protocol="leaky"), uci_cnn=metrics(right=8))
    group = main_group(read_results(folder), "uci_cnn")
    assert group is not None
    assert group.means()[Subnet(1.0, 128)] == 0.8
    text = page(folder, tmp_path / "out")
    leaky = next(row for row in text.split("<tr") if "<th>uci_cnn</th>" in row and "100.00" in row)
    assert 'class="mark leaky"' in leaky
    assert 'class="mark apart"' not in leaky


def test_a_run_by_the_papers_recipe_is_shown_below_ours_and_kept_out_of_its_mean(tmp_path: Path) -> None:
    files = {"uci_cnn": metrics(right=8), "uci_cnn_paper": metrics(right=7, model="uci_cnn_paper")}
    folder = write(tmp_path / "in", **files)
    results = read_results(folder)
    ours, theirs = (main_group(results, model) for model in ("uci_cnn", "uci_cnn_paper"))
    assert ours is not None
    assert theirs is not None
    assert (ours.means()[Subnet(1.0, 128)], theirs.means()[Subnet(1.0, 128)]) == (0.8, 0.7)
    text = page(folder, tmp_path / "out")
    assert text.index("80.00") < text.index("CNN, by the paper's recipe") < text.index("70.00")
    assert "kinestream train --model_name resnet_uci --recipe paper --test" in text  # the missing run


def test_published_figures_are_marked_in_tables_that_also_hold_ours(tmp_path: Path) -> None:
    row = {"name": "kinet", "subnet": "0.35x-128", "macro_f1": [0.83, 0.85], "seeds": [1, 2]}
    folder = write(tmp_path / "in", arena_hapt=table(row, over="folds"))
    text = page(folder, tmp_path / "out")
    ours = next(row for row in text.split("<tr") if "kinet 0.35x-128" in row)
    theirs = next(row for row in text.split("<tr") if "<th>TinierHAR</th>" in row)
    assert "84.00 ± 1.41" in ours
    assert ('class="mark ours"' in ours, 'class="mark published"' in theirs) == (True, True)
    assert text.index("<th>CNN-HAR</th>") < text.index("kinet 0.35x-128") < text.index("<th>TinierHAR</th>")


def test_a_run_folder_replaces_the_same_seed_of_a_file(tmp_path: Path) -> None:
    folder = write(tmp_path / "in", uci_cnn_seeds={"0": seed(0.5), "1": seed(0.6)})
    write(tmp_path / "run", metrics=metrics(0, right=9))
    (group,) = grouped(read_results(folder, [tmp_path / "run"]).runs)
    assert [run.accuracy[Subnet(1.0, 128)] for run in group.runs] == [0.9, 0.6]


def test_a_run_without_figures_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"run has no metrics\.json"):
        read_results(None, [tmp_path / "run"])


def test_a_missing_folder_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match="nowhere"):
        read_results(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "Expecting"),
        ('{"0": {"windows": 3}}', "no key 'protocol'"),
        ('{"0": {"protocol": "x", "accuracy": {"full": 0.9}}}', "'full' is not a subnetwork"),
        ('{"0": {"protocol": "x", "accuracy": {"1.00x-128": 97.1}}}', "97.1 is not a share between 0 and 1"),
        ("17", "not"),
    ],
)
def test_an_invalid_file_is_left_out_with_the_reason(tmp_path: Path, content: str, reason: str) -> None:
    folder = write(tmp_path / "in", uci_kinet_seeds={"0": seed(0.9)})
    (folder / "broken_seeds.json").write_text(content)
    results = read_results(folder)
    assert list(results.left_out) == ["broken_seeds.json"]
    assert reason in results.left_out["broken_seeds.json"]
    assert len(results.runs) == 1
    text = page(folder, tmp_path / "out")
    assert "broken_seeds.json" in text


def test_a_row_in_percent_is_left_out_and_the_other_rows_stay(tmp_path: Path) -> None:
    rows = ({"name": "good", "accuracy": 0.9}, {"name": "bad", "accuracy": [91.0]})
    results = read_results(write(tmp_path, rivals=table(*rows)))
    assert [row.name for row in results.tables["rivals"].rows] == ["good"]
    assert "91.0" in results.left_out["rivals.json, row 2"]


def test_the_text_of_a_file_is_escaped(tmp_path: Path) -> None:
    row = {"name": "<b>bold</b>", "accuracy": [0.9], "note": "a < b & c"}
    folder = write(tmp_path / "in", something=table(row), ablation=table(row, part="validation"))
    text = page(folder, tmp_path / "out")
    assert "<b>" not in text
    assert "a &lt; b &amp; c" in text


def test_a_change_to_the_recipe_is_compared_with_the_complete_recipe(tmp_path: Path) -> None:
    recipes = [("complete", 0.95, 0.90), ("without EMA", 0.94, 0.91)]
    rows = [
        {"name": name, "subnet": subnet, "accuracy": [share]}
        for name, *shares in recipes
        for subnet, share in zip(("1.00x-128", "0.10x-96"), shares, strict=True)
    ]
    text = page(write(tmp_path / "in", ablation=table(*rows, part="validation")), tmp_path / "out")
    row = next(row for row in text.split("<tr") if "<th>without EMA</th>" in row)
    assert re.findall(r">([+-][\d.]+)<", row) == ["-1.00", "+1.00"]


def test_the_gain_from_adapting_is_against_zero_minutes(tmp_path: Path) -> None:
    rows = [{"name": "uci_cnn", "minutes": m, "accuracy": a} for m, a in ((5, [0.9, 1.0]), (0, [0.8, 0.9]))]
    text = page(write(tmp_path / "in", adapt=table(*rows, over="people")), tmp_path / "out")
    assert "+10.00" in text
    assert (tmp_path / "out" / "adapt.png").exists()


def test_the_front_of_the_arena_is_chosen_on_validation_people(tmp_path: Path) -> None:
    measured = [("1.00x-128", 300, 0.80, 0.9), ("0.50x-128", 100, 0.84, 0.8), ("0.10x-96", 100, 0.99, 0.7)]
    rows = [
        {"name": "ours", "subnet": subnet, "latency_us": us, "macro_f1": [f1], "validation": [validation]}
        for subnet, us, f1, validation in measured
    ]
    results = read_results(write(tmp_path, arena_hapt=table(*rows, over="folds")))
    shown = [str(row.subnet) for row in on_front(results.tables["arena_hapt"].rows)]
    assert shown == ["1.00x-128", "0.50x-128"]


def test_latency_is_drawn_and_a_far_slower_rival_is_listed_below(tmp_path: Path) -> None:
    front_rows = [
        {"name": "uci_cnn", "network": "cnn", "subnet": subnet, "macs": 9, "latency_us": us, "test": None}
        for subnet, us in (("1.00x-128", 200.0), ("0.10x-96", 20.0))
    ]
    rivals = [
        {"name": "TinierHAR-like", "latency_us": 160, "accuracy": [0.85]},
        {"name": "random forest", "latency_us": 60000, "accuracy": [0.84, 0.86]},
    ]
    files = {"front": table(*front_rows), "rivals": table(*rivals), "uci_cnn_seeds": {"0": seed(0.9)}}
    text = page(write(tmp_path / "in", **files), tmp_path / "out")
    assert (tmp_path / "out" / "accuracy_latency.png").exists()
    assert "Too slow for the picture: random forest: 85.00 ± 1.41 % in 60,000 us." in text


def test_compute_saved_names_the_subnetwork_and_how_it_was_chosen(tmp_path: Path) -> None:
    chosen = {"subnet": "0.35x-104", "accuracy": 0.97, "macs_saved": 12.5, "time_saved": 4.0}
    saved = [{"name": "uci_cnn", "against": "the other", "seeds": 5, "chosen": {"macs": chosen, "time": None}}]
    text = page(write(tmp_path / "in", baselines=table(compute_saved=saved)), tmp_path / "out")
    row = next(row for row in text.split("<tr") if "uci_cnn, least macs, against the other" in row)
    for text_of_row in ("chosen on validation people", "0.35x-104", "12.5x in MACs, 4.0x in time", "97.00"):
        assert text_of_row in row
    assert ">–<" in next(row for row in text.split("<tr") if "uci_cnn, least time" in row)


def test_a_turned_sensor_is_shown_next_to_the_network_trained_for_it(tmp_path: Path) -> None:
    def worn(share: float, trained: str) -> dict[str, Any]:
        ways = [{"worn": how, "windows": 9, "accuracy": {"1.00x-80": share}} for how in ("as recorded", "turned")]
        return {"command": "python benchmarks/worn.py", "trained": trained, "protocol": "nine people", "ways": ways}

    files = {"worn_watch": worn(0.91, "train it"), "worn_watch_robust": worn(0.72, "train it robust")}
    text = page(write(tmp_path / "in", **files), tmp_path / "out")
    row = next(row for row in text.split("<tr") if "<th>turned" in row)
    assert row.index("91.0") < row.index("72.0")
    for detail in ("nine people", "train it</code>", "train it robust</code>", "python benchmarks/worn.py"):
        assert detail in text


KEYS = [
    "0",
    "1",
    "rows",
    "model",
    "test",
    "protocol",
    "windows",
    "accuracy",
    "scores",
    "1.00x-128",
    "worn",
    "ways",
    "name",
    "subnet",
    "latency_us",
    "seeds",
    "classes",
    "confusion",
    "minutes",
    "definition",
    "fold",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["0.9", "1.00x-128", "cnn"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=20,
)


@given(JSON)
def test_any_json_file_is_either_read_or_left_out_with_a_reason(values: object) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "any.json").write_text(json.dumps(values))
        results = read_results(Path(folder))
    assert ("any.json" in results.read) != ("any.json" in results.left_out)


def test_the_published_macs_are_those_of_our_networks() -> None:
    presets = {
        ("uci", "cnn"): "uci",
        ("uci", "resnet"): "resnet_uci",
        ("wisdm", "cnn"): "wisdm",
        ("wisdm", "resnet"): "resnet_wisdm",
        ("unimib", "cnn"): "unimib",
        ("unimib", "resnet"): "resnet_unimib",
    }
    paper = published_figures()["paper"]
    for (dataset, network), preset in presets.items():
        for subnet, figures in paper[dataset][network].items():
            assert macs(PRESETS[preset], Subnet.parse(subnet)) / 1e6 == pytest.approx(figures["macs"], abs=0.006)


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 50)), min_size=1))
def test_no_point_of_equal_or_lower_cost_beats_a_point_of_the_front(points: list[tuple[int, int]]) -> None:
    best = front(points)
    assert set(best) <= set(points)
    for cost, gain in points:
        assert max(g for c, g in best if c <= cost) >= gain
    assert best == sorted(best, key=lambda point: point[1])
    assert len({gain for _, gain in best}) == len(best)


def test_collected_seeds_hold_the_figures_of_the_runs(tmp_path: Path) -> None:
    runs = [write(tmp_path / name, metrics=metrics(i, right=8 + i)) for i, name in enumerate(("a", "b"))]
    entries = collect(runs, {"2": seed(0.7)})
    assert list(entries) == ["0", "1", "2"]
    (group,) = grouped(read_results(write(tmp_path / "in", uci_cnn_seeds=entries)).runs)
    assert [run.accuracy[Subnet(1.0, 128)] for run in group.runs] == [0.8, 0.9, 0.7]
    confusion = group.runs[0].scores[Subnet(1.0, 128)]["confusion"]
    assert [row[:2] for row in confusion[:2]] == [[4, 1], [1, 4]]
    assert group.macro_f1(Subnet(1.0, 128)) == "84.95 ± 7.00 (2 of 3)"


def test_the_output_of_evaluate_is_read_like_a_run(tmp_path: Path) -> None:
    output = {"model": "watch", **metrics(right=7, model="watch")["test"]}
    watch = main_group(read_results(write(tmp_path / "in", watch=output)), "watch")
    assert watch is not None
    assert watch.means() == {Subnet(1.0, 128): 0.7, Subnet(0.1, 96): 0.7}


def test_seeds_tested_on_different_windows_are_not_collected_together(tmp_path: Path) -> None:
    run = write(tmp_path / "a", metrics=metrics(0))
    with pytest.raises(ConfigError, match="judged on 11 windows"):
        collect([run], {"2": seed(0.7, windows=11)})
