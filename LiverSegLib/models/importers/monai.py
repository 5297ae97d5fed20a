"""MONAI bundles: a folder with configs/metadata.json, configs/inference.json (or .yaml) and models/model.pt
becomes a model of ours.

What the configuration does to a scan is read by :mod:`monai_config`. Weights come out of model.pt, or of
model.ts where that alone is there, as plain numbers. The program in model.ts is not run: the network is the
one that the configuration names, and the weights must be its own.
"""

from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

import numpy as np

from LiverSegLib.errors import ModelCorruptError, ModelError
from LiverSegLib.labels import BACKGROUND
from LiverSegLib.models import files
from LiverSegLib.models.importers.architecture import check_fit
from LiverSegLib.models.importers.checkpoint import Checkpoint, StoredTensor
from LiverSegLib.models.importers.described import (
    LIMITATIONS,
    NOT_STATED,
    Described,
    plain_name,
    plain_text,
)
from LiverSegLib.models.importers.labelling import chosen_labels, guessed_labels
from LiverSegLib.models.importers.monai_config import (
    Config,
    read_chain,
    read_output,
    read_tiles,
    target_of,
    transforms_of,
)
from LiverSegLib.models.importers.nnunet import UNKNOWN_SHA256, Weights, today
from LiverSegLib.models.importers.plain_yaml import read_yaml_object
from LiverSegLib.models.importers.plans import read_object
from LiverSegLib.models.importers.torchscript import NAMES, state_of
from LiverSegLib.models.manifest import FORMAT_VERSION, Manifest, Source
from LiverSegLib.models.rules import MAX_CHANNELS, MONAI, SEGMENT, VERSION
from LiverSegLib.models.stage import Network, Output, Preparation, Stage
from LiverSegLib.sentences import Sentence

METADATA, INFERENCE, INFERENCE_YAML = "metadata.json", "inference.json", ("inference.yaml", "inference.yml")
WEIGHTS, PROGRAM = "model.pt", "model.ts"
LICENCES = ("LICENSE", "LICENSE.txt", "LICENSE.md")
WANTED = (METADATA, INFERENCE, *INFERENCE_YAML, WEIGHTS, PROGRAM, *LICENCES)
"""All that is read of a bundle."""
DEEPEST = 2
"""How far below what was given a bundle's folder is looked for."""
STATES = ("state_dict", "model", "network", "net")
"""Keys under which training scripts put the weights in a checkpoint."""
CITATION = (
    "Cardoso, M. J., et al. (2022). MONAI: An open-source framework for deep learning in healthcare. "
    "arXiv:2211.02701"
)


def find_bundle(folder: Path) -> Optional[Path]:
    """The folder of a bundle in a folder, or that folder itself; None if there is none."""
    level = [folder]
    for _ in range(DEEPEST + 1):
        for path in level:
            if (path / "configs" / METADATA).is_file():
                return path
        level = [inner for path in level for inner in sorted(path.iterdir()) if _is_folder(inner)][:100]
    return None


def read_bundle(
    folder: Path,
    file: str,
    sha256: Optional[str] = None,
    *,
    labels: Optional[Mapping[str, str]] = None,
    name: Optional[str] = None,
    licence: Optional[str] = None,
) -> Described:
    """Describe a bundle.

    Args:
        folder: as :func:`find_bundle` returns it.
        file: the name of what was given, and ``sha256`` its hash if it is a file.
        labels, name, licence: as the user chose; see ``adding.Options``.

    Raises:
        ModelError: it needs what LiverSeg does not run, or is damaged or hostile; the sentence says what.
        UsageError: a label was chosen that is not there.
    """
    metadata = read_object(folder / "configs" / METADATA, METADATA)
    config = _config(folder / "configs")
    weights = _weights_file(folder)
    output_transforms = transforms_of(config, "postprocessing", "post_transforms")
    activation, scores_order = read_output(output_transforms)
    output = _output(metadata, activation, labels or {})
    network = _network(config, len(output.channels))
    chain = read_chain(transforms_of(config, "preprocessing", "pre_transforms"))
    tiles = read_tiles(config.part("inferer"), chain, scores_order)
    stage = Stage(
        SEGMENT, network, f"{SEGMENT}.safetensors", UNKNOWN_SHA256, chain.spacing or (1.0, 1.0, 1.0),
        tiles.patch, chain.intensity, output, orientation=chain.orientation, axes="xyz",
        preparation=Preparation(**tiles.preparation),
    )  # fmt: skip
    own, said = plain_text(metadata.get("name")) or folder.name, plain_text(metadata.get("version"))
    manifest = Manifest(
        name=name or plain_name(own),
        version=said if VERSION.holds(said) else "1",
        description=plain_text(metadata.get("description")) or own,
        stages=(stage,),
        licence=licence or _licence(folder, metadata),
        citation=CITATION,
        pipeline=MONAI,
        modality=_modality(metadata),
        source=Source(
            "MONAI", plain_text(file) or "bundle", today(), sha256,
            {f"models/{weights.name}": files.sha256_of_file(weights)},
            dataset=plain_text(metadata.get("data_source")),
        ),
        format_version=FORMAT_VERSION,
        limitations=LIMITATIONS,
    )  # fmt: skip
    return Described(manifest, {SEGMENT: (_reader(weights, network),)})


def _config(folder: Path) -> Config:
    """The inference configuration."""
    if (folder / INFERENCE).is_file():
        return Config(read_object(folder / INFERENCE, INFERENCE), INFERENCE)
    found = next((name for name in INFERENCE_YAML if (folder / name).is_file()), None)
    if found is not None:
        return Config(read_yaml_object(folder / found, found), found)
    raise ModelCorruptError(Sentence("model.lacks-file", name=INFERENCE), str(folder))


def _network(config: Config, channels: int) -> Network:
    """The network that the bundle asks for, out of those that may be built.

    Raises:
        ModelError: it is another, or takes more than one image.
    """
    from LiverSegLib.networks import ARCHITECTURES
    from LiverSegLib.networks.monai_networks import ALLOWED, PREFIX

    described = config.part("network_def", "network")
    target = described.get("_target_") if isinstance(described, dict) else None
    kind = target_of(described)
    is_monais = isinstance(target, str) and (target == kind or target.startswith("monai.networks.nets."))
    own = kind if kind in ARCHITECTURES and target == f"LiverSegLib.networks.{kind}" else ""
    if not own and not (is_monais and kind in ALLOWED):
        available = ", ".join(ALLOWED)
        raise ModelError(Sentence("add.bundle-network", network=files.quoted(target), available=available))
    arguments = {key: value for key, value in described.items() if not key.startswith("_")}
    if arguments.get("out_channels") != channels or arguments.get("in_channels", 1) != 1:
        given = [arguments.get(key) for key in ("in_channels", "out_channels")]
        reason = f"one image and {channels} channels are described, the network has {files.quoted(given)}"
        raise ModelError(Sentence("add.bundle-output", reason=reason))
    return Network(own or PREFIX + kind, arguments)


def _output(metadata: Mapping[str, Any], activation: str, chosen: Mapping[str, str]) -> Output:
    """What the network's channels mean, from channel_def.

    Raises:
        ModelError: there is none, or the bundle needs several images.
        UsageError: a label was chosen that is not there.
    """
    formats = metadata.get("network_data_format")
    outputs = formats.get("outputs") if isinstance(formats, dict) else None
    first = next(iter(outputs.values()), None) if isinstance(outputs, dict) else None
    names = first.get("channel_def") if isinstance(first, dict) else None
    if not isinstance(names, dict) or not 2 <= len(names) <= MAX_CHANNELS:
        raise ModelError(Sentence("add.bundle-lacks", name=METADATA, part="channel_def"))
    channels: List[str] = []
    for number in range(len(names)):
        text = plain_text(names.get(str(number))).replace(" ", "_")
        if not text or text in channels:
            raise ModelError(Sentence("add.bundle-lacks", name=METADATA, part=f"channel_def {number}"))
        channels.append(text)
    has_background = channels[0].lower() == "background"
    if activation == "softmax" and not has_background:
        raise ModelError(Sentence("add.bundle-output", reason="channel 0 is not the background"))
    foreground = channels[1:] if has_background else channels
    labels = {**guessed_labels(foreground), **chosen_labels(chosen, foreground)}
    labels = {key: value for key, value in labels.items() if value != BACKGROUND}
    first_value = 0 if has_background else 1
    return Output(activation, tuple(channels), labels, tuple(range(first_value, first_value + len(channels))))


def _weights_file(folder: Path) -> Path:
    for name in (WEIGHTS, PROGRAM):
        if (folder / "models" / name).is_file():
            return folder / "models" / name
    raise ModelCorruptError(Sentence("model.lacks-file", name=WEIGHTS), str(folder))


def _reader(path: Path, network: Network) -> Weights:
    """Reads the weights and checks that they are the network's."""

    def read() -> Mapping[str, np.ndarray]:
        with Checkpoint(path, NAMES if path.name == PROGRAM else None) as checkpoint:
            try:
                tensors = _tensors(checkpoint.values, path.name == PROGRAM)
            except ValueError as error:
                damaged = Sentence("add.checkpoint-damaged", name=path.name)
                raise ModelCorruptError(damaged, str(error)) from error
            weights: Dict[str, np.ndarray] = {
                str(key): checkpoint.read_tensor(tensor) for key, tensor in tensors.items()
            }
        check_fit(network, weights, f"models/{path.name}")
        return weights

    return read


def _tensors(values: Any, is_program: bool) -> Mapping[Any, StoredTensor]:
    """The tensors of a network's state.

    Raises:
        ValueError: the parts of a network in a program have no end.
    """
    if is_program:
        return state_of(values)
    inner = next((values[key] for key in STATES if isinstance(values.get(key), dict)), values)
    return {key: value for key, value in inner.items() if isinstance(value, StoredTensor)}


def _licence(folder: Path, metadata: Mapping[str, Any]) -> str:
    said = plain_text(metadata.get("license", metadata.get("licence")))
    for name in LICENCES:
        for place in (folder, folder / "docs"):
            if not said and (place / name).is_file():
                text = bytes(files.read_within(place / name, files.MAX_TEXT_BYTES)).decode("utf-8", "replace")
                said = next((line for line in map(plain_text, text.splitlines()) if line), "")
    return said or NOT_STATED


def _modality(metadata: Mapping[str, Any]) -> str:
    formats = metadata.get("network_data_format")
    inputs = formats.get("inputs") if isinstance(formats, dict) else None
    first = next(iter(inputs.values()), None) if isinstance(inputs, dict) else None
    said = plain_text(first.get("modality")).upper() if isinstance(first, dict) else ""
    return said if said in ("CT", "MR") else "MR" if said == "MRI" else "other" if said else "CT"


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and not path.name.startswith(".")
