"""The engine that LiverSeg computes with: which one is there, and what to install where there is none.

OpenVINO, PyTorch and ONNX Runtime are found from the metadata of installed packages: none is ever imported
into Slicer's own process. The core chooses in the worker, in the order of ``usableEngines``.
"""

from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple, Union

from slicer.i18n import tr as _

from LiverSegLib.errors import DeviceError
from LiverSegLib.inference.devices import ENGINES

from .engine_plans import EnginePlan, smallPlan
from .installing import size
from .machine import Machine, installedVersion, numbers, thisMachine
from .requirements import InstallPlan, TorchState, torchState

OLDEST = {"openvino": (2024, 0), "onnxruntime": (1, 16)}
"""Oldest versions that the core runs on; ``requirements`` has that of PyTorch."""


@dataclass(frozen=True)
class Offer:
    """An engine that can be installed here.

    Attributes:
        engine: "openvino", "onnxruntime" or "torch".
        downloadMb, diskMb: its size, MB.
        purpose: what speaks for it, in words.
    """

    engine: str
    downloadMb: int
    diskMb: int
    purpose: str

    @property
    def name(self) -> str:
        """The engine's name for people."""
        return ENGINES[self.engine]

    @property
    def request(self) -> str:
        """What it is, how big it is and where it goes, as sentences."""
        text = _(
            "{name} {purpose}: a download of about {download}, about {disk} on the disk, installed once into "
            "Slicer's own Python."
        )
        sizes = {"download": size(self.downloadMb), "disk": size(self.diskMb)}
        return text.format(name=self.name, purpose=self.purpose, **sizes)


@dataclass(frozen=True)
class EngineState:
    """How it stands with the engines.

    Attributes:
        status: "ok", "missing" or "unusable".
        engine: the one that computes; None without.
        text: what computes, such as "OpenVINO 2025.3, CPU", or what is missing.
        request: what is needed and why; empty if nothing is needed.
        offers: what can be installed, the default first; engines that are there are not among them.
        usable: every engine that serves, in the order of choice.
    """

    status: str
    engine: Optional[str]
    text: str
    request: str = ""
    offers: Tuple[Offer, ...] = ()
    usable: Tuple[str, ...] = ()

    @property
    def isUsable(self) -> bool:
        """Whether LiverSeg can segment."""
        return self.status == "ok"

    def offer(self, engine: str) -> Optional[Offer]:
        """Return what it takes to install an engine, None if it is there or none fits."""
        return next((offer for offer in self.offers if offer.engine == engine), None)


def engineState() -> EngineState:
    """Look at what is installed; takes some milliseconds."""
    return stateOn(thisMachine(exactly=False), torchState())


def stateOn(machine: Machine, torch: TorchState) -> EngineState:
    """Return the state on a computer with this PyTorch."""
    versions = {engine: installedVersion(engine) for engine in ENGINES}
    usable = usableEngines(machine, versions, torch)
    offers = _offers(machine, torch, usable)
    if usable:
        return EngineState("ok", usable[0], _described(usable[0], versions, torch), "", offers, usable)
    old = [engine for engine in ENGINES if versions[engine] is not None]
    if old:
        name = f"{ENGINES[old[0]]} {versions[old[0]]}"
        text, request = _("{name}, too old"), _("The {name} that is installed is too old to compute with.")
        return EngineState("unusable", None, text.format(name=name), request.format(name=name), offers)
    request = _("LiverSeg needs a library that runs its networks, which Slicer does not bring.")
    if not offers:
        request += " " + _("None was built for this computer with this Slicer.")
    return EngineState("missing", None, _("not installed"), request, offers)


def usableEngines(machine: Machine, versions: Dict[str, Optional[str]], torch: TorchState) -> Tuple[str, ...]:
    """Return the engines that serve, in the core's order of choice."""
    found: List[str] = []
    for engine in ENGINES:
        version = versions[engine]
        isNew = torch.usable if engine == "torch" else numbers(version or "0") >= OLDEST[engine]
        if version is not None and isNew:
            found.append(engine)
    if "torch" in found and _hasGpu(machine) and _isGpuBuild(versions["torch"] or ""):
        found.remove("torch")
        found.insert(0, "torch")
    return tuple(found)


def checkEngine(model: str) -> None:
    """Raise DeviceError with what to do next unless something is there that runs the model."""
    state = engineState()
    if not state.isUsable:
        text = _("{state} Install it in the LiverSeg module, or with LiverSegLogic().installEngine(confirm).")
        raise DeviceError(text.format(state=state.request))
    problem = needsTorch(model, state)
    if problem:
        text = _(
            "{problem} Install it in the LiverSeg module, or with LiverSegLogic().installTorch(confirm)."
        )
        raise DeviceError(text.format(problem=problem))


def needsTorch(model: str, state: EngineState) -> str:
    """Return a sentence if a model runs in PyTorch only, and that is not there; else an empty text."""
    if "torch" in state.usable or not _isForTorch(model):
        return ""
    return _("The model {name} runs in PyTorch only, which is not installed.").format(name=model)


def _isForTorch(model: str) -> bool:
    from LiverSegLib.errors import ModelError
    from LiverSegLib.models import load_model  # here, so that the panel opens sooner

    try:
        manifest = load_model(model).manifest
    except ModelError:  # the run will say what is wrong with it
        return False
    stages = manifest.stages if manifest is not None else ()
    return any(fold.graph is None for stage in stages for fold in stage.folds)


def _offers(machine: Machine, torch: TorchState, usable: Tuple[str, ...]) -> Tuple[Offer, ...]:
    small = smallPlan(machine) if not {"openvino", "onnxruntime"} & set(usable) else None
    large = torch.plan
    hasGpu = large is not None and (large.backend or "").startswith("cu")
    offers = []
    if small is not None:
        purpose = _("computes on the processor") if hasGpu else _("suits this computer")
        offers.append(_offer(small.engine, small, purpose))
    if large is not None:
        purpose = _("computes on the NVIDIA GPU") if hasGpu else _("runs models of other programs too")
        offers.append(_offer("torch", large, purpose))
    return tuple(reversed(offers)) if hasGpu else tuple(offers)


def _offer(engine: str, plan: Union[EnginePlan, InstallPlan], purpose: str) -> Offer:
    return Offer(engine, plan.downloadMb, plan.diskMb, purpose)


def _described(engine: str, versions: Dict[str, Optional[str]], torch: TorchState) -> str:
    if engine == "torch":
        return f"{ENGINES[engine]} {torch.text}"
    first, second = numbers(versions[engine] or "0")
    return f"{ENGINES[engine]} {first}.{second}, CPU"


def _hasGpu(machine: Machine) -> bool:
    return machine.driver is not None


def _isGpuBuild(version: str) -> bool:
    """Whether a version of PyTorch names a CUDA build; those of PyPI for Linux name none and are CUDA's."""
    build = version.partition("+")[2]
    return build.startswith("cu") or not build
