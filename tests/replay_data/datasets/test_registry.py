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
def test_a_missing_dataset_names_its_command_and_the_folder_searched(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataMissing) as caught:
        open_dataset(name, tmp_path)
    assert f"kinestream data fetch {name}" in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", DATASETS)
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


@pytest.mark.parametrize("name", ["hapt", "wisdm2019", "wisdm2019-phone", "unimib-falls51"])
def test_every_available_dataset_opens_under_its_own_name(name: str, data_dir: Path) -> None:
    dataset = open_dataset(name, data_dir)
    assert dataset.name == dataset[0].dataset == name
    assert dataset[0].label_names == dataset.label_names
    assert dataset[0].name == dataset.entries[0].name


def test_the_data_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KINESTREAM_DATA", str(tmp_path / "own"))
    assert default_data_dir() == tmp_path / "own"
    monkeypatch.delenv("KINESTREAM_DATA")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_data_dir() == tmp_path / "kinestream"
    monkeypatch.delenv("XDG_DATA_HOME")
    assert default_data_dir().name == "kinestream"
