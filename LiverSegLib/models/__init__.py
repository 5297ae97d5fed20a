"""Models: what describes them (``manifest`` and ``stage``, read by ``fields`` and ``rules``), what they weigh
(``safetensors``), where they live (``store``), how they are made (``writer``), and how those of other
programs are added (``adding``, ``importers``).

Importing this needs neither PyTorch nor the safetensors package; ``Model.state_dict`` and ``add_model`` need
PyTorch.
"""

from LiverSegLib.models.adding import Candidate, Options, add_model, opened_model, remove_model
from LiverSegLib.models.lesion_growth import LesionGrowth
from LiverSegLib.models.lesion_opening import LesionOpening
from LiverSegLib.models.manifest import (
    Accuracy,
    Manifest,
    Source,
    TrainingData,
    parse_manifest,
    read_manifest,
)
from LiverSegLib.models.safetensors import load_state_dict, open_tensors
from LiverSegLib.models.second_look import SecondLook
from LiverSegLib.models.stage import (
    FirstResampling,
    Fold,
    Graph,
    Intensity,
    Network,
    Output,
    Preparation,
    Region,
    Stage,
)
from LiverSegLib.models.store import (
    Model,
    bundled_models_folder,
    list_models,
    load_model,
    load_model_for,
    user_models_folder,
)
from LiverSegLib.models.writer import save_tensors, write_model

__all__ = [
    "Accuracy",
    "Candidate",
    "FirstResampling",
    "Fold",
    "Graph",
    "Intensity",
    "LesionGrowth",
    "LesionOpening",
    "Manifest",
    "Model",
    "Network",
    "Options",
    "Output",
    "Preparation",
    "Region",
    "SecondLook",
    "Source",
    "Stage",
    "TrainingData",
    "add_model",
    "bundled_models_folder",
    "list_models",
    "load_model",
    "load_model_for",
    "load_state_dict",
    "open_tensors",
    "opened_model",
    "parse_manifest",
    "read_manifest",
    "remove_model",
    "save_tensors",
    "user_models_folder",
    "write_model",
]
