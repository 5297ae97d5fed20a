"""nnU-Net's two U-Nets: equal to the library's own for weights under its names; impossible ones refused."""

import gzip
import json

import pytest
import torch
from seeded_weights import seeded_image, seeded_tensor

from LiverSegLib.errors import ModelError
from LiverSegLib.models.importers.architecture import BLOCKS, check_fit, network_of, our_name
from LiverSegLib.models.importers.plans import Configuration
from LiverSegLib.networks import build_network
from LiverSegLib.networks.unet_blocks import BatchNorm

TOLERANCE = 2e-5
"""Float32 rounding, through norms over as few as eight voxels; the numbers are kept to 1e-6."""

PLAIN = {
    "in_channels": 1, "out_channels": 2, "features_per_stage": [4, 8], "kernel_sizes": [[3, 3, 3], [3, 3, 3]],
    "strides": [[1, 1, 1], [1, 2, 2]], "n_conv_per_stage": [1, 1], "n_conv_per_stage_decoder": [1],
}  # fmt: skip


def cases():
    from conftest import ROOT

    packed = (ROOT / "Testing" / "Data" / "nnunet-networks.json.gz").read_bytes()
    return json.loads(gzip.decompress(packed))["networks"]


def configuration_for(case):
    """A configuration of plans that describes a case's network."""
    given, axes = dict(case["arguments"]), case["axes"]
    given[BLOCKS[case["architecture"]]] = given.pop("blocks")
    given["norm_op"] = f"torch.nn.modules.instancenorm.InstanceNorm{axes}d"
    name = f"dynamic_network_architectures.architectures.unet.{case['architecture']}"
    return Configuration(
        [16] * axes, [1.0] * axes, ["CTNormalization"],
        architecture={"network_class_name": name, "arch_kwargs": given},
    )  # fmt: skip


@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case['architecture']}-{case['axes']}d")
class TestAgainstTheOriginal:
    def test_output_is_equal(self, case):
        described = network_of(configuration_for(case), 2, 3)
        weights = {}
        for name, shape in case["weights"].items():
            ours = our_name(name, 4)
            if ours:
                weights[ours] = seeded_tensor(name, shape)
        check_fit(described, weights, "checkpoint_final.pth")
        network = build_network(described.name, described.arguments).eval()
        network.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
        image = torch.from_numpy(seeded_image(case["image"]))
        memory = torch.channels_last_3d if case["axes"] == 3 else torch.channels_last
        with torch.inference_mode():
            for format_ in (torch.contiguous_format, memory):
                output = network.to(memory_format=format_)(image.contiguous(memory_format=format_))
                assert list(output.shape) == case["output"]
                found = output.contiguous().reshape(-1)[case["places"]]
                assert (found - torch.tensor(case["numbers"])).abs().max() < TOLERANCE

    def test_sizes_for_tiles_are_products_of_strides(self, case):
        described = network_of(configuration_for(case), 2, 3)
        network = build_network(described.name, described.arguments)
        expected = [1] * case["axes"]
        for step in case["arguments"]["strides"]:
            expected = [a * b for a, b in zip(expected, step)]
        assert list(network.size_multiple) == expected and network.out_channels == 3


def test_batch_normalisation_uses_the_statistics_of_training():
    ours, theirs = BatchNorm(3, 1e-3), torch.nn.BatchNorm3d(3, eps=1e-3)
    with torch.no_grad():
        for tensor in (theirs.weight, theirs.bias, theirs.running_mean):
            tensor.normal_()
        theirs.running_var.uniform_(0.5, 2)
    state = {name: tensor for name, tensor in theirs.state_dict().items() if name != "num_batches_tracked"}
    ours.load_state_dict(state)
    image = torch.randn(2, 3, 4, 4, 4)
    assert torch.allclose(ours(image), theirs.eval()(image), atol=1e-6)


@pytest.mark.parametrize(
    ("change", "word"),
    [({"features_per_stage": [4]}, "levels"), ({"features_per_stage": [4] * 10**6}, "levels"),
     ({"features_per_stage": [4, 10**9]}, "features_per_stage"),
     ({"features_per_stage": [4, True]}, "features"),
     ({"kernel_sizes": [[3, 3, 3], [2, 3, 3]]}, "odd"),
     ({"kernel_sizes": [[3, 3, 3], [10**9] * 3]}, "kernel"),
     ({"strides": [[1, 1, 1], [0, 2, 2]]}, "strides"), ({"strides": [[1, 1], [2, 2, 2]]}, "axes"),
     ({"strides": [1, 2]}, "axes"), ({"n_conv_per_stage": [1]}, "n_conv_per_stage"),
     ({"n_conv_per_stage": [1, 10**9]}, "n_conv_per_stage"), ({"in_channels": 0}, "in_channels"),
     ({"norm": "layer"}, "norm"), ({"eps": 0}, "eps"), ({"negative_slope": 3}, "negative_slope"),
     ({"dropout": 1}, "dropout")],
)  # fmt: skip
def test_impossible_arguments_are_refused_before_memory_is_taken(change, word):
    with pytest.raises(ModelError) as caught:
        build_network("PlainConvUNet", {**PLAIN, **change})
    assert word in caught.value.details
