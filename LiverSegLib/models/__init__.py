"""Models: what describes them (``manifest`` and ``stage``, read by ``fields`` and ``rules``), what they weigh
(``safetensors``), where they live (``store``) and how they are made (``writer``).

Importing this needs neither PyTorch nor the safetensors package; ``Model.state_dict`` needs PyTorch.
"""

from LiverSegLib.models.manifest import Accuracy, Manifest, TrainingData, parse_manifest, read_manifest
from LiverSegLib.models.safetensors import load_state_dict, open_tensors
from LiverSegLib.models.stage import Fold, Graph, Intensity, Network, Output, Preparation, Stage
from LiverSegLib.models.store import (
    Model,
    bundled_models_folder,
    list_models,
    load_model,
    user_models_folder,
)
from LiverSegLib.models.writer import save_tensors, write_model

__all__ = [
    "Accuracy",
    "Fold",
    "Graph",
    "Intensity",
    "Manifest",
    "Model",
    "Network",
    "Output",
    "Preparation",
    "Stage",
    "TrainingData",
    "bundled_models_folder",
    "list_models",
    "load_model",
    "load_state_dict",
    "open_tensors",
    "parse_manifest",
    "read_manifest",
    "save_tensors",
    "user_models_folder",
    "write_model",
]
