"""Who is judged, and when a wearer counts as noticed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.worn_otherwise import Wearer, figures, follow, groups
from kinestream.core.signals import ACC
from kinestream.inference import find_model, load_model
from kinestream.replay_data import Recording
from tests.run.test_wear_watch import AT_WAIST
from tests.windowing.test_walking_up import still, walk

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "worn_otherwise.json"


def recording(*parts: np.ndarray) -> Recording:
    x = np.concatenate(parts).astype(np.float32)
    codes = np.zeros(len(x), np.int16)
    return Recording("made_up", "1", "1", 20.0, ACC, np.arange(len(x)) / 20, x, codes, ("walking",))


def test_the_time_is_that_of_walking_not_of_standing() -> None:
    turned = np.array([0.0, 1.0, 0.0])
    wearer = follow(AT_WAIST, [recording(walk(8, turned), still(60, turned), walk(60, turned))])
    assert wearer.noticed_s == pytest.approx(20, abs=4)
    assert wearer.walked_s == pytest.approx(68, abs=4)
    assert follow(AT_WAIST, [recording(walk(60, np.array([1.0, 0.0, 0.0])))]).noticed_s is None


def test_a_wearer_too_short_to_be_noticed_counts_apart() -> None:
    assert figures([Wearer(18.0, None)]) == {"wearers": 0, "too_short": 1}


def test_of_its_own_people_only_test_people_are_judged() -> None:
    model = load_model(find_model("uci_cnn"))
    subjects = tuple(str(number) for number in range(1, 31))
    (own,) = groups(model, "hapt", subjects).values()
    learnt = model.card["subjects"]
    assert set(own) == set(learnt["test"])
    assert set(own).isdisjoint(learnt["train"] + learnt["validation"])
    assert groups(model, "umafall", ("01/waist", "01/pocket", "02/waist")) == {
        "waist": {"01": ["01/waist"], "02": ["02/waist"]},
        "pocket": {"01": ["01/pocket"]},
    }


def test_no_wearer_of_the_right_place_is_noticed_in_the_stored_figures() -> None:
    rows = json.loads(RESULTS.read_text())["rows"]
    right = [row["noticed"][0] for row in rows if row.get("right")]
    assert right
    assert max(right) <= 0.02
