"""The table of all networks on the same data: `Testing/Benchmarks/networks.py`."""

import json

import pytest
from Benchmarks import networks as benchmark
from made_up import data_folder

from LiverSegLib.networks.laboratory import LABORATORY


def test_every_network_of_the_laboratory_is_in_the_table():
    assert set(benchmark.NARROW) == set(LABORATORY)
    assert set(benchmark.RATES) <= set(LABORATORY)


@pytest.mark.parametrize("name", ["UNet3D", "DenseUNet65"])
def test_networks_have_the_same_recipe_but_for_themselves(name, tmp_path):
    options = benchmark.argparse.Namespace(data=tmp_path, out=tmp_path, steps=3, threads=1, cases=2)
    dimensions = LABORATORY[name].dimensions[0]
    kept = benchmark.recipe_of(name, dimensions, options).model_dump(exclude={"name", "network"})
    same = "ResidualUNet" if dimensions == 3 else "UNet"
    assert kept == benchmark.recipe_of(same, dimensions, options).model_dump(exclude={"name", "network"})


def test_seconds_a_step_are_those_between_steps():
    assert benchmark.step_seconds([1.0, 2.0, 12.0, 13.5]) == pytest.approx(1.5)
    assert benchmark.step_seconds([1.0]) is None


def test_the_table_is_made_of_runs_that_go_on_and_are_not_repeated(tmp_path, capsys, monkeypatch):
    data = data_folder(tmp_path / "data", shape=(17, 36, 33))
    monkeypatch.setitem(benchmark.PATCHES, 3, (16, 16, 16))
    monkeypatch.setitem(benchmark.NARROW, "UNet3D", {"channels": [4, 8]})
    command = [
        str(data),
        str(tmp_path / "out"),
        "--steps",
        "3",
        "--cases",
        "1",
        "--networks",
        "UNet3D",
        "--json",
    ]
    benchmark.main(command)
    found = json.loads(capsys.readouterr().out)["rows"]
    assert [row["network"] for row in found] == ["UNet3D"] and 0 <= found[0]["dice"] <= 1
    assert found[0]["seconds_step"] > 0 and found[0]["seconds_scan"] > 0 and found[0]["weights"] > 100
    monkeypatch.setattr("LiverSegLib.training.fit.train", None)  # a second training would fail
    benchmark.main(command[:-1])
    table = capsys.readouterr().out
    assert "UNet3D" in table and f"{found[0]['dice']:.3f}" in table
