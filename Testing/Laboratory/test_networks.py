"""What every network of the laboratory keeps to: sizes, gradients, deep supervision, graphs, refusals."""

import functools
import importlib.util
import io
import json
import sys
import warnings
from typing import Any, List, Tuple

import numpy as np
import onnxruntime
import pytest
import small_networks
import torch

from LiverSegLib.errors import InputError, ModelError
from LiverSegLib.inference.engines.export import OPSET
from LiverSegLib.networks import LABORATORY, build_network
from LiverSegLib.networks.laboratory import NEEDS_MEMORY, parameters_of

EINOPS = {"UNETR", "SwinUNETR"}
"""MONAI's transformers need this package."""


def _case(name: str, dimensions: int) -> Any:
    lacks = name in EINOPS and importlib.util.find_spec("einops") is None
    marks = [pytest.mark.skip(reason="MONAI's transformers need einops (extra train)")] if lacks else []
    return pytest.param(name, dimensions, id=f"{name}-{dimensions}D", marks=marks)


ALL = [_case(name, axes) for name, known in LABORATORY.items() for axes in known.dimensions]
DEEP = [
    _case(name, axes) for name in small_networks.DEEP for axes in LABORATORY[name].dimensions
]  # fmt: skip
EXPORTED = [
    pytest.param(*case.values, id=case.id, marks=[*case.marks, pytest.mark.slow])
    if case.values in (("SwinUNETR", 3), ("VNetMONAI", 3), ("UNETR", 3))
    or case.values[1] != LABORATORY[case.values[0]].dimensions[0]
    else case
    for case in ALL
]
"""Graphs take seconds to write: those of the largest networks, and of each in other dimensions than its
usual ones, only where all tests run."""
TRAINED = [
    pytest.param(*case.values, id=case.id, marks=[*case.marks, pytest.mark.slow])
    if case.values == ("VNetMONAI", 3)
    else case
    for case in ALL
]
"""Its channels are fixed: 45 million weights whose gradients take seconds."""
every_network = pytest.mark.parametrize(("name", "dimensions"), ALL)


def small(name: str, dimensions: int, **more: Any) -> Any:
    torch.manual_seed(0)
    given = {"in_channels": 1, "out_channels": 3, "dimensions": dimensions, **small_networks.SMALL[name]}
    return build_network(name, json.loads(json.dumps({**given, **more})))


@functools.lru_cache(maxsize=None)
def built(name: str, dimensions: int) -> Any:
    """The small form, built once: its gradients and running means are what the tests before left."""
    return small(name, dimensions)


def on_meta(name: str, **arguments: Any) -> Any:
    """A network without memory for its weights, but for those that cannot be built so."""
    with torch.device("cpu" if name in NEEDS_MEMORY else "meta"):
        return LABORATORY[name].build(**arguments).to("meta")


NORMED_AWAY = {"AttentionUNet": "psi.0.conv.bias"}
"""Biases of MONAI's that a norm takes away again: their gradient is 0 but for rounding."""


def image_of(dimensions: int, batch: int = 2) -> torch.Tensor:
    return torch.randn(
        batch, 1, *small_networks.SIZES[dimensions], generator=torch.Generator().manual_seed(1)
    )


def test_every_network_has_a_small_form_here():
    assert set(small_networks.SMALL) == set(LABORATORY)
    assert all(name == known.name and known.paper for name, known in LABORATORY.items())


@pytest.mark.parametrize(("name", "dimensions"), TRAINED)
def test_training_takes_images_of_odd_size_and_reaches_every_parameter(name, dimensions):
    network, image = built(name, dimensions).train(), image_of(dimensions)
    network.zero_grad()
    scores = network(image)
    levels = [scores] if torch.is_tensor(scores) else scores
    assert levels[0].shape == (2, 3, *image.shape[2:])
    sum(level.square().mean() for level in levels).backward()
    gradients = {key: weights.grad for key, weights in network.named_parameters()}
    assert [key for key, gradient in gradients.items() if gradient is None] == []
    assert [key for key, gradient in gradients.items() if not torch.isfinite(gradient).all()] == []
    still = [key for key, gradient in gradients.items() if not gradient.any()]
    assert [key for key in still if not key.endswith(NORMED_AWAY.get(name, " "))] == []


@every_network
def test_logits_lie_on_the_grid_of_the_image_and_depend_on_it_alone(name, dimensions):
    network, images = built(name, dimensions).eval(), image_of(dimensions)
    with torch.no_grad():
        scores, alone = network(images), network(images[1:])
    assert scores.shape == (2, 3, *images.shape[2:]) and torch.isfinite(scores).all()
    assert torch.allclose(scores[1], alone[0], atol=1e-4)
    assert network.out_channels == 3
    assert isinstance(network.size_multiple, int) or len(network.size_multiple) == dimensions


@every_network
def test_one_class_is_possible(name, dimensions):
    network = on_meta(
        name, **{**small_networks.SMALL[name], "dimensions": dimensions, "out_channels": 1}
    ).eval()
    assert network(image_of(dimensions, 1).to("meta")).shape == (1, 1, *small_networks.SIZES[dimensions])


@pytest.mark.parametrize("name", ["ResidualUNet", "BlockUNet", "DynUNet", "Cascade"])
def test_the_weights_depend_on_the_seed_alone(name):
    first, second = small(name, 3).state_dict(), small(name, 3).state_dict()
    assert all(torch.equal(tensor, second[key]) for key, tensor in first.items())


@pytest.mark.parametrize(("name", "dimensions"), DEEP)
def test_deep_supervision_gives_a_list_finest_first_in_training_only(name, dimensions):
    network, image = small(name, dimensions, deep_supervision=True), image_of(dimensions)
    levels = network.train()(image)
    assert isinstance(levels, list) and len(levels) > 1
    assert levels[0].shape == (2, 3, *image.shape[2:])
    voxels = [level[0, 0].numel() for level in levels]
    assert voxels == sorted(voxels, reverse=True) and all(level.shape[:2] == (2, 3) for level in levels)
    assert torch.is_tensor(network.eval()(image))


@pytest.mark.parametrize(("name", "dimensions"), EXPORTED)
def test_the_onnx_graph_of_tiles_gives_what_pytorch_gives(name, dimensions):
    network = built(name, dimensions).eval()
    edge = small_networks.EXPORTED_AT.get(name)
    size = (edge,) * dimensions if edge else small_networks.EXPORTED[dimensions]
    tiles, file = torch.randn(1, 1, *size), io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # sizes that the tracer takes for constants: the size is fixed
        torch.onnx.export(
            network, (tiles,), file, dynamo=False, opset_version=OPSET, input_names=["tiles"],
            output_names=["logits"],
        )  # fmt: skip
        expected = network(tiles).numpy()
    session = onnxruntime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
    found = session.run(None, {"tiles": tiles.numpy()})[0]
    assert np.abs(found - expected).max() <= 1e-3 * max(1.0, np.abs(expected).max())


@every_network
def test_unknown_arguments_are_refused_with_their_name(name, dimensions):
    with pytest.raises(ModelError, match=name) as caught:
        small(name, dimensions, colour=1)
    assert "colour" in caught.value.details


@every_network
@pytest.mark.parametrize(
    "wrong", [{"dimensions": 4}, {"in_channels": 0}, {"out_channels": 10**9}, {"out_channels": "3"}]
)
def test_impossible_ends_are_refused_with_their_name(name, dimensions, wrong):
    with pytest.raises(ModelError) as caught:
        build_network(name, {"dimensions": dimensions, **small_networks.SMALL[name], **wrong})
    assert next(iter(wrong)) in caught.value.details


HOSTILE: List[Tuple[str, Any]] = [
    ("BlockUNet", {"channels": [2048] * 8}),
    ("BlockUNet", {"channels": [4] * 1000}),
    ("BlockUNet", {"channels": [4, 10**12]}),
    ("BlockUNet", {"channels": [4, 8], "strides": [10**6]}),
    ("BlockUNet", {"channels": [4, 8], "block": "__class__"}),
    ("BlockUNet", {"channels": [4, 8], "norm": ["batch"]}),
    ("BlockUNet", {"channels": [4, 8], "dropout": 1.0}),
    ("ResidualUNet", {"channels": [4] * 1000}),
    ("ResidualUNet", {"channels": [4], "blocks": [10**9]}),
    ("UNet3D", {"channels": [5, 8]}),
    ("UNet", {"channels": [64, 128]}),
    ("UNet", {"channels": [2048] * 5, "dimensions": 3}),
    ("DynUNet", {"kernel_sizes": 4}),
    ("DynUNet", {"strides": [1, 2]}),
    ("SegResNet", {"blocks_down": [1, 2000, 1]}),
    ("SegResNet", {"width": 9}),
    ("Slices25D", {"slices": 7}),
    ("Slices25D", {"network": {"name": "ResidualUNet"}}),
    ("Slices25D", {"network": {"name": "monai.UNet"}}),
    ("Slices25D", {"network": {"name": "UNet", "arguments": {"in_channels": 7}}}),
    ("Slices25D", {"network": "UNet"}),
    ("Cascade", {"coarse": {"name": "os.system"}}),
    ("Cascade", {"factor": 10**6}),
    ("Cascade", {"fine": {"name": "DynUNet", "arguments": {"deep_supervision": True}}}),
]


@pytest.mark.parametrize(("name", "arguments"), HOSTILE)
def test_absurd_arguments_are_refused_before_memory_is_taken(name, arguments):
    with pytest.raises(ModelError):
        build_network(name, arguments)


def test_networks_nest_two_deep_and_no_deeper():
    entry = {
        "name": "Slices25D",
        "arguments": {"network": {"name": "UNet", "arguments": {"channels": [4] * 5}}},
    }
    assert build_network("Cascade", {"coarse": entry, "fine": entry}).out_channels == 2
    with pytest.raises(ModelError) as caught:
        build_network("Cascade", {"fine": {"name": "Cascade", "arguments": {"fine": entry}}})
    assert "nested more than 2 deep" in caught.value.details


def test_networks_of_monais_say_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "monai.networks", None)
    wanted = [name for name, known in LABORATORY.items() if known.origin == "MONAI" and name not in EINOPS]
    assert len(wanted) == 6
    for name in wanted:
        with pytest.raises(ModelError, match="only where the Python package monai is installed"):
            build_network(name, {})
    for piece in ({"attention": "squeeze_excitation"}, {"bottleneck": "aspp"}):
        with pytest.raises(ModelError, match="only where the Python package monai is installed"):
            build_network("BlockUNet", piece)
    assert build_network("BlockUNet", {"channels": [4, 8]}).out_channels == 2


@pytest.mark.parametrize("name", sorted(EINOPS))
def test_networks_with_transformers_name_the_package_that_they_need(monkeypatch, name):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda word: None if word == "einops" else find(word))
    with pytest.raises(ModelError, match="pip install einops"):
        build_network(name, {})


@pytest.mark.parametrize(("name", "dimensions"), [_case("UNETR", 3)])
def test_unetr_says_that_an_image_is_larger_than_it_was_built_for(name, dimensions):
    with pytest.raises(InputError, match="at most 32 x 32 x 32 voxels"):
        small(name, dimensions)(torch.zeros(1, 1, 33, 32, 32))


PUBLISHED = [
    ("UNet3D", {"in_channels": 3, "out_channels": 3}, 19_074_627, 0.0003),
    ("UNet", {}, 31_112_130, None),
    ("UNetPlusPlus", {}, 9_118_888, 0.01),
    ("UNETR", {"out_channels": 14}, 92_786_094, 0.003),
    ("SwinUNETR", {"in_channels": 4, "out_channels": 3}, 62_201_253, 0.004),
]
"""Name, what the paper segments, weights, share by which they differ from the paper's; None: it says none."""


@pytest.mark.parametrize(
    ("name", "ends", "weights", "share"),
    [pytest.param(*row, marks=_case(row[0], 3).marks) for row in PUBLISHED],
)
def test_networks_have_as_many_weights_as_their_papers_say(name, ends, weights, share):
    known = LABORATORY[name]
    assert parameters_of(on_meta(name, **{**known.arguments, **ends})) == weights
    if share is not None:
        assert abs(weights - known.paper_parameters) <= share * known.paper_parameters


def test_the_3d_unet_has_exactly_the_papers_weights_beside_its_norms():
    network = on_meta("UNet3D", in_channels=3, out_channels=3)
    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm3d)]
    assert parameters_of(network) - sum(parameters_of(norm) for norm in norms) == 19_069_955
