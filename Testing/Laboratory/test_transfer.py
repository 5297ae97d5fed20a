"""Transfer learning: what of other weights is taken, what is frozen, and at which rate the rest learns."""

import json

import pytest
import torch
from made_up import content, data_folder
from torch import nn

from LiverSegLib.errors import InputError, ModelError
from LiverSegLib.training.export_run import export_run
from LiverSegLib.training.fit import run_weights, start_weights, train
from LiverSegLib.training.module import SegmentationModule, rate_groups
from LiverSegLib.training.recipe import check_recipe, overridden
from LiverSegLib.training.run_folder import RunFolder
from LiverSegLib.training.run_options import StartOptions, TrainingOptions
from LiverSegLib.training.transfer import begin_with, first_weights, for_channels

ANY = StartOptions(weights="elsewhere")
BATCH_NORMS = {"name": "BlockUNet", "arguments": {"channels": [4, 8], "norm": "batch"}}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return data_folder(tmp_path_factory.mktemp("data") / "made-up")


def small(channels=1, out=2):
    """A convolution of the image, a norm, a head."""
    torch.manual_seed(channels + out)
    return nn.Sequential(nn.Conv2d(channels, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, out, 1))


def test_what_fits_by_name_and_shape_is_taken_and_the_rest_is_told():
    source, network = small(out=3), small(out=2)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    found = {**source.state_dict(), "9.weight": torch.zeros(1)}
    started = begin_with(network, found, ANY)
    after = network.state_dict()
    assert set(started.fresh) == {"3.weight", "3.bias"} and set(started.unused) == {
        "3.weight",
        "3.bias",
        "9.weight",
    }
    for name, value in after.items():
        assert torch.equal(value, before[name] if name in started.fresh else source.state_dict()[name])
    assert started.averaged == () and "7 of 9 weights of elsewhere" in started.sentence


@pytest.mark.parametrize("before", ["", "network.", "module.", "model."])
def test_a_beginning_that_all_names_have_does_not_matter(before):
    source, network = small(), small(out=2)
    found = {before + name: value + 1 for name, value in source.state_dict().items()}
    assert begin_with(network, found, ANY).fresh == ()
    assert torch.equal(network.state_dict()["0.weight"], source.state_dict()["0.weight"] + 1)


def test_weights_of_the_inside_of_a_wrapper_are_found():
    network = nn.ModuleDict({"network": small()})
    assert begin_with(network, small(out=2).state_dict(), ANY).fresh == ()


def test_what_is_skipped_begins_at_random():
    network, source = small(), {name: value + 1 for name, value in small().state_dict().items()}
    started = begin_with(network, source, StartOptions(weights="x", skip=("3", "*.running")))
    assert set(started.fresh) == {"3.weight", "3.bias", "1.running_mean", "1.running_var"}
    with pytest.raises(InputError, match='skip names "4"'):
        begin_with(network, source, StartOptions(weights="x", skip=("4",)))


def test_nothing_that_fits_is_an_error():
    with pytest.raises(ModelError, match="None of the weights of elsewhere fit"):
        begin_with(small(), {"x": torch.zeros(3)}, ANY)


@pytest.mark.parametrize(("there", "here"), [(1, 3), (3, 1), (2, 3)])
def test_a_first_convolution_is_averaged_over_image_channels(there, here):
    source, network = small(there), small(here)
    started = begin_with(network, source.state_dict(), ANY)
    assert started.averaged == ("0.weight",)
    image = torch.rand(1, 1, 8, 8)
    same = source[0](image.expand(1, there, 8, 8)), network[0](image.expand(1, here, 8, 8))
    assert torch.allclose(*same, atol=1e-6), "an image repeated in all channels gives the same features"
    weights = torch.tensor([1.0, 3.0]).reshape(1, 2, 1, 1)
    assert for_channels(weights, 4).flatten().tolist() == [1.0, 1.0, 1.0, 1.0]


def test_a_later_layer_of_another_width_is_not_averaged():
    assert first_weights(small(3)) == {"0.weight"}
    wider = small()
    wider[3] = nn.Conv2d(6, 2, 1)
    started = begin_with(wider, small().state_dict(), ANY)
    assert started.averaged == () and "3.weight" in started.fresh


def test_patterns_choose_rates_and_the_longest_counts():
    options = TrainingOptions(steps=1, learning_rate=0.1, rates={"*": 0.5, "0.": 0, "*.bias": 2})
    network = small()
    groups = rate_groups(options, network.named_parameters())
    rates = {id(p): group["lr"] for group in groups for p in group["params"]}
    found = {name: rates.get(id(p), 0) for name, p in network.named_parameters()}
    assert found == {
        "0.weight": 0, "0.bias": 0.2, "1.weight": 0.05, "1.bias": 0.2, "3.weight": 0.05, "3.bias": 0.2,
    }  # fmt: skip


def test_frozen_layers_and_their_norms_stay_bit_by_bit(data, tmp_path):
    recipe = check_recipe(
        content(data, network=BATCH_NORMS,
                training={"steps": 3, "learning_rate": 0.1, "weight_decay": 0.1, "optimizer": "sgd",
                          "rates": {"encoder": 0}})
    )  # fmt: skip
    module = SegmentationModule(recipe)
    start = {name: value.clone() for name, value in module.network.state_dict().items()}
    assert not any(m.training for n, m in module.train().network.named_modules()
                   if n.startswith("encoder") and "Norm" in type(m).__name__)  # fmt: skip
    train(recipe, tmp_path / "run")
    end = run_weights(RunFolder(tmp_path / "run"))
    for name, value in end.items():
        assert torch.equal(value, start[name]) == name.startswith("encoder"), name


def test_a_run_a_model_and_a_file_are_begun_with_and_told(data, tmp_path):
    first = check_recipe(content(data, training={"steps": 1}))
    train(first, tmp_path / "first")
    export_run(RunFolder(tmp_path / "first"), tmp_path / "model")
    weights = run_weights(RunFolder(tmp_path / "first"))
    torch.save(weights, tmp_path / "plain.pt")
    for start in ("first", "model", "plain.pt", "first/checkpoints/last.ckpt"):
        found = start_weights(str(tmp_path / start))
        prefix = "network." if start.endswith("ckpt") else ""
        assert all(torch.equal(found[prefix + name], value) for name, value in weights.items())
    begun = content(data, structures=["liver"], training={"steps": 1, "start": str(tmp_path / "model")})
    begun = overridden(begun, ["training.start.skip=[stem]"])
    outcome = train(check_recipe(begun), tmp_path / "second")
    told = json.loads((tmp_path / "second" / "start.json").read_text())
    assert {"head.weight", "stem.0.weight"} <= set(told["fresh"]) and "encoder" in str(told["loaded"])
    assert outcome.facts["start"] == told["summary"] and str(tmp_path / "model") in told["summary"]
    again = train(check_recipe(begun), tmp_path / "second")
    assert again.facts["start"] == told["summary"]


def test_a_file_without_weights_is_refused(tmp_path):
    (tmp_path / "x.pt").write_bytes(b"nothing")
    with pytest.raises(InputError, match="no weights that can be read"):
        start_weights(str(tmp_path / "x.pt"))
    torch.save({"state_dict": {"epoch": 3}}, tmp_path / "y.pt")
    with pytest.raises(InputError, match="no weights by name"):
        start_weights(str(tmp_path / "y.pt"))
