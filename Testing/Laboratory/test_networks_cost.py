"""What networks cost, and ``liverseg networks``."""

import json

import pytest
import torch
from torch import nn

from LiverSegLib.cli import main, packages
from LiverSegLib.cli import networks as command
from LiverSegLib.errors import ModelError, UsageError
from LiverSegLib.networks import LABORATORY, build_network, cost
from LiverSegLib.networks.architecture import Architecture
from LiverSegLib.networks.cost import BYTES_PER_WEIGHT, cost_of, saved_bytes


class OneConvolution(nn.Module):
    def __init__(self, *, in_channels=1, out_channels=2, dimensions=3):
        super().__init__()
        self.conv = nn.Conv3d(in_channels, out_channels, 3, padding=1)

    def forward(self, image):
        return self.conv(image).sigmoid()


@pytest.fixture
def few(monkeypatch):
    """A laboratory of two networks, one of which needs a package that is not there."""

    def build(**arguments):
        raise ModelError("The network Lacking needs the Python package einops: pip install einops.")

    known = {
        "One": Architecture(
            "One", OneConvolution, (3,), "Author 2020, doi:10.1/x", paper_parameters=1_000_000
        ),
        "Lacking": Architecture("Lacking", build, (3, 2), "Author 2021", "MONAI"),
    }
    for name in list(LABORATORY):
        monkeypatch.delitem(LABORATORY, name)
    for name, architecture in known.items():
        monkeypatch.setitem(LABORATORY, name, architecture)
    return known


def test_the_cost_of_one_convolution_by_hand(few):
    found = cost_of("One", 3, (8, 8, 8))
    assert found.parameters == 2 * 27 + 2
    assert found.flops_per_voxel == 2 * 27 * 2  # multiply and add, for each of two channels out
    activations = 4 * 8**3 * (1 + 2)  # the image, and the sigmoid's result; the convolution's is not kept
    assert found.training_bytes == BYTES_PER_WEIGHT * 56 + activations


@pytest.mark.parametrize("name", ["ResidualUNet", "BlockUNet", "UNet3D"])
def test_counting_without_memory_gives_what_real_tensors_give(name):
    arguments = {"channels": [4, 6, 8]}
    image = torch.zeros(1, 1, 16, 16, 16)
    real = saved_bytes(build_network(name, arguments).train(), image)
    with torch.device("meta"):
        network = build_network(name, arguments).train()
    assert saved_bytes(network, image.to("meta")) == real > image.numel() * 4


def test_cost_needs_no_memory_for_the_weights(monkeypatch):
    given = []
    monkeypatch.setattr(cost, "_flops", lambda network, image: given.append(next(network.parameters())) or 0)
    assert cost_of("UNet3D", 3).parameters > 19_000_000
    assert given[0].is_meta


def test_the_table_names_networks_papers_and_what_is_missing(few, capsys):
    assert main(["networks", "--patch", "16,16,16"]) == 0
    said = capsys.readouterr()
    text = " ".join(said.out.split())
    assert "One" in text and "doi:10.1/x" in text and "16 x 16 x 16 in 3D" in text
    assert "Lacking" in text and "pip install einops" in text
    assert "Counting One" in said.err
    assert max(len(line) for line in said.out.splitlines()) <= 80


def test_one_json_object_holds_all_numbers(few, capsys):
    assert main(["networks", "--dimensions", "3", "--json"]) == 0
    said = capsys.readouterr()
    one, lacking = json.loads(said.out)["networks"]
    assert one["parameters"] == 56 and one["patch"] == [96, 96, 96] and one["flops_per_voxel"] == 108
    assert one["paper_parameters"] == 1_000_000 and one["error"] is None
    assert lacking["parameters"] is None and "einops" in lacking["error"] and said.err == ""
    assert main(["networks", "--dimensions", "2", "--json"]) == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)["networks"]] == ["Lacking"]


def test_one_network_is_shown_in_all_its_dimensions_with_its_note(capsys):
    assert main(["networks", "unet3d"]) == 0  # as people type it
    said = " ".join(capsys.readouterr().out.split())
    assert "UNet3D, 3D" in said and "UNet3D, 2D" in said and "paper: 19.07" in said and "4672" in said


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["NoSuchNet"], "There is no network 'NoSuchNet'. There are: One, Lacking."),
        (["One", "--dimensions", "2"], "One is a network of 3 dimensions alone."),
        (["--dimensions", "4"], "Networks have 2 or 3 dimensions, not 4."),
        (["--dimensions", "2", "--patch", "16,16,16"], "needs a patch of 2 numbers"),
        (["--patch", "16"], "two or three whole numbers"),
        (["--patch", "16,99999,16"], "from 8 to 1024"),
        (["--patch", "a,b"], "two or three whole numbers"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(few, capsys, words, sentence):
    assert main(["networks", *words]) == 2
    assert sentence in " ".join(capsys.readouterr().err.split())


def test_a_patch_as_small_as_the_deepest_levels_cell_is_counted_or_refused():
    assert cost_of("KiUNet", 2, (8, 8)).flops_per_voxel > 0
    with pytest.raises(ModelError, match="UNet3D cannot be trained on a patch of 8 x 8 x 8"):
        cost_of("UNet3D", 3, (8, 8, 8))


def test_without_pytorch_a_sentence_names_the_extra(monkeypatch, capsys):
    monkeypatch.setattr(packages.importlib.util, "find_spec", lambda name: None)
    assert main(["networks"]) == 1
    assert 'pip install "liverseg[train]"' in " ".join(capsys.readouterr().err.split())


def test_the_parts_of_a_patch():
    assert command.parse_patch("64, 96,96") == (64, 96, 96) and command.parse_patch(None) is None
    with pytest.raises(UsageError):
        command.parse_patch("1,2,3")
