"""Datasets by name, their terms and the data folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from kinestream.core.errors import ConfigError, DataMissing
from kinestream.replay_data.datasets.registry import DATASETS, default_data_dir, known_dataset, open_dataset


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(
        ConfigError, match=r"no dataset 'wisdm2018' \(did you mean 'wisdm2019'\?\); known: hapt, uci-har"
    ):
        open_dataset("wisdm2018")


@pytest.mark.parametrize("name", DATASETS)
def test_a_missing_dataset_names_its_remedy_and_the_folder_searched(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataMissing) as caught:
        open_dataset(name, tmp_path)
    assert DATASETS[name].home.remedy(name) in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_remedy_is_the_command_that_fetches_or_the_page_and_place_of_a_converted_copy() -> None:
    assert DATASETS["hapt"].home.remedy("hapt") == "fetch it with: kinestream data fetch hapt"
    converted = [known for known in DATASETS.values() if not known.home.url]
    assert [known.name for known in converted] == ["sisfall", "umafall", "mobifall", "wisdm-windows"]
    for known in converted:
        remedy = known.home.remedy(known.name)
        assert known.home.page in remedy
        assert f"elsewhere/{known.marker}" in remedy


@pytest.mark.parametrize("name", [name for name, known in DATASETS.items() if known.home.url])
def test_the_downloaded_archive_matches_the_search_patterns(name: str) -> None:
    known = known_dataset(name)
    from fnmatch import fnmatch

    for file_name in filter(None, (known.home.file_name, known.home.inner)):
        assert any(fnmatch(file_name.lower(), pattern) for pattern in known.archives)


def test_every_dataset_states_its_terms_and_its_citation() -> None:
    for known in DATASETS.values():
        assert known.home.terms.endswith(".")
        assert len(known.home.citation) > 40
    assert "Commercial use is prohibited" in known_dataset("hapt").home.terms
    assert "Commercial use is prohibited" in known_dataset("uci-har").home.terms


@pytest.mark.parametrize("name", ["hapt", "wisdm2019", "wisdm2019-phone", "unimib-falls51", "umafall"])
def test_every_available_dataset_opens_under_its_own_name(name: str, data_dir: Path) -> None:
    dataset = open_dataset(name, data_dir)
    assert dataset.name == dataset[0].dataset == name
    assert dataset[0].label_names == dataset.label_names
    assert dataset[0].name == dataset.entries[0].name


def test_people_keep_their_identity_across_datasets_and_places() -> None:
    same = [("hapt", "uci-har"), ("wisdm2019", "wisdm2019-phone"), ("unimib", "unimib-falls51")]
    for name, other in same:
        assert DATASETS[name].person("7") == DATASETS[other].person("7") == f"{name}/7"
    assert DATASETS["wisdm"].person("7") == DATASETS["wisdm-windows"].person("07")
    assert DATASETS["umafall"].person("07/waist") == DATASETS["umafall"].person("07/phone") == "umafall/07"
    assert DATASETS["sisfall"].person("SA01") != DATASETS["sisfall"].person("SE01")
    populations = [known.population for known in DATASETS.values()]
    assert set(populations) <= set(DATASETS)


def test_the_data_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KINESTREAM_DATA", str(tmp_path / "own"))
    assert default_data_dir() == tmp_path / "own"
    monkeypatch.delenv("KINESTREAM_DATA")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_data_dir() == tmp_path / "kinestream"
    monkeypatch.delenv("XDG_DATA_HOME")
    assert default_data_dir().name == "kinestream"
