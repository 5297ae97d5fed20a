"""What works on this machine: one check a line, each with what to do if it fails.

Whatever may crash (PyTorch on an old processor, drawing without a screen) is tried in a child process.
"""

import importlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence, Tuple

from ..errors import ModelError

if TYPE_CHECKING:
    from ..models import Model

OK = "ok"
WARNING = "warning"
FAILED = "failed"
"""Outcomes: it works; segmenting works without it; segmenting does not work without it."""

OLDEST_PYTHON = (3, 9)
OLDEST_TORCH = (2, 1)

PROBE_SECONDS = 120
"""Longest time that a probe in a child process may take: PyTorch from a slow disk takes a minute to load."""

LOW_DISK_BYTES = 500_000_000
"""Less free space than this in the temporary folder or here is worth a warning."""

LOW_MEMORY_BYTES = 5 * 2**30
"""A scan of 600 slices takes up to 4 GB."""

ENGINE_PROBE = """
import json
from LiverSegLib.inference.engines import describe_engine
print(json.dumps({"version": describe_engine("ENGINE")}))
"""
DEVICES_PROBE = """
import json
from LiverSegLib.inference.devices import describe_devices
print(json.dumps({"devices": describe_devices()}))
"""

DRAWING_PROBE = """
import json, vtk
from LiverSegLib.surfaces import render
sphere = vtk.vtkSphereSource()
sphere.SetRadius(50.0)
sphere.Update()
png = render({"liver": sphere.GetOutput()})
if not png.startswith(b"\\x89PNG"):
    raise SystemExit("no PNG came out")
print(json.dumps({"version": vtk.vtkVersion.GetVTKVersion(), "bytes": len(png)}))
"""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        key: For programs.
        name: For people.
        outcome: OK, WARNING or FAILED.
        text: What was found.
        advice: What to do, if there is something to do.
        facts: Details, JSON-ready.
    """

    key: str
    name: str
    outcome: str
    text: str
    advice: Optional[str] = None
    facts: Dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> Dict[str, Any]:
        """Return it as JSON-ready data."""
        return asdict(self)


def examine() -> List[Check]:
    """Look at everything that LiverSeg needs; takes some seconds and changes nothing."""
    return [
        check_python(),
        check_package("numpy", "numpy", needed=True),
        check_package("scipy", "scipy", needed=True),
        check_package("SimpleITK", "SimpleITK", needed=True),
        check_memory(),
        *check_engines(),
        *check_models(),
        check_package("pydicom", "pydicom", needed=False, use="DICOM folders cannot be read"),
        check_package("PIL", "pillow", needed=False, use="there will be no report"),
        check_package(
            "dicomweb_client", "dicomweb-client", needed=False, use="liverseg fetch and push do not work"
        ),
        check_package("highdicom", "highdicom", needed=False, use="results cannot be written as DICOM"),
        check_drawing(),
        check_disk("temporary", "Temporary folder", Path(tempfile.gettempdir())),
        check_disk("here", "This folder", Path.cwd()),
    ]


def healthy(checks: Sequence[Check]) -> bool:
    """Whether LiverSeg can segment: no check failed."""
    return all(check.outcome != FAILED for check in checks)


def check_python() -> Check:
    """The interpreter, the system and LiverSeg's own version."""
    from LiverSegLib import __version__

    facts = {"liverseg": __version__, "python": platform.python_version(), "executable": sys.executable}
    text = f"LiverSeg {__version__} on Python {platform.python_version()}, {platform.platform(terse=True)}"
    if sys.version_info[:2] < OLDEST_PYTHON:
        return Check(
            "python", "Python", FAILED, text, f"Install Python {_dotted(OLDEST_PYTHON)} or newer.", facts
        )
    return Check("python", "Python", OK, text, facts=facts)


def check_package(module: str, package: str, *, needed: bool, use: str = "") -> Check:
    """Whether ``module`` can be imported; ``use`` says what does not work without it."""
    advice = f"Install it: pip install {package}"
    try:
        version = str(getattr(importlib.import_module(module), "__version__", "unknown version"))
    except Exception as error:  # noqa: BLE001 (a broken installation can raise anything)
        missing = isinstance(error, ModuleNotFoundError)
        text = "is not installed" if missing else f"does not load ({type(error).__name__}: {error})"
        outcome = FAILED if needed else WARNING
        return Check(package, package, outcome, f"{text}; {use}" if use else text, advice)
    return Check(package, package, OK, version, facts={"version": version})


def check_memory() -> Check:
    """The computer's memory, where the system tells it."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return Check("memory", "Memory", OK, "unknown on this system")
    text, facts = f"{total / 2**30:.1f} GiB", {"memory_bytes": total}
    if total < LOW_MEMORY_BYTES:
        return Check(
            "memory", "Memory", WARNING, text, "Large scans may need more; close other programs.", facts
        )
    return Check("memory", "Memory", OK, text, facts=facts)


def check_engines() -> List[Check]:
    """The libraries that run networks, each with its version or why it does not load, and what would run on
    which device: with memory, precision and threads.
    """
    from ..inference.devices import ENGINES, installed_engines

    there = installed_engines()
    checks = [_engine_check(name, title, name in there) for name, title in ENGINES.items()]
    working = [check for check in checks if check.outcome == OK and check.facts["installed"]]
    if not working:
        text = "there is none, so that nothing can be segmented"
        advice = "pip install openvino (or onnxruntime, or PyTorch: see docs/install.md)"
        return [*checks, Check("engine", "Engine", FAILED, text, advice)]
    found, problem = probe(DEVICES_PROBE)
    if found is None:
        return [*checks, Check("engine", "Engine", FAILED, problem, "See docs/install.md.")]
    return checks + [_device_check(device) for device in found["devices"]]


def _engine_check(name: str, title: str, installed: bool) -> Check:
    """One engine, tried in a child process. A missing one is no warning: one is enough."""
    key, advice = f"engine:{name}", f"Install it again: pip install {name}"
    if not installed:
        return Check(key, title, OK, "not installed", facts={"installed": False})
    found, problem = probe(ENGINE_PROBE.replace("ENGINE", name))
    if found is None:
        return Check(key, title, WARNING, f"does not load: {problem}", advice, {"installed": True})
    version = str(found["version"])
    facts = {"installed": True, "version": version}
    if name == "torch" and _numbers(version) < OLDEST_TORCH:
        advice = "Install PyTorch 2.1 or newer: see docs/install.md, or pytorch.org for this machine."
        return Check(key, title, WARNING, f"{version} is too old", advice, facts)
    return Check(key, title, OK, version, facts=facts)


def check_models() -> List[Check]:
    """Every model's description and checksums; the default model must be there."""
    from ..models import bundled_models_folder, list_models, load_model, user_models_folder

    places = {"bundled": str(bundled_models_folder()), "user": str(user_models_folder())}
    checks: List[Check] = []
    try:
        load_model("default")
    except ModelError as error:
        advice = "Install LiverSeg again: the bundled model belongs to it."
        checks.append(Check("model:default", "Default model", FAILED, str(error), advice, places))
    try:
        models = list_models()
    except ModelError as error:
        return [*checks, Check("models", "Models", WARNING, str(error), facts=places)]
    return checks + [_model_check(model) for model in models]


def check_drawing() -> Check:
    """Whether vtk can draw a picture without a screen, tried in a child process."""
    found, problem = probe(DRAWING_PROBE)
    if found is None:
        advice = "pip install vtk; on Debian or Ubuntu also: apt-get install libgl1 libegl1 libosmesa6"
        return Check("drawing", "3-D pictures", WARNING, f"cannot be drawn: {problem}", advice)
    return Check("drawing", "3-D pictures", OK, f"can be drawn (vtk {found['version']})", facts=found)


def check_disk(key: str, name: str, folder: Path) -> Check:
    """Whether ``folder`` can be written to and its disk has room."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"probe")
        free = shutil.disk_usage(folder).free
    except OSError as error:
        text = f"{folder} cannot be written to ({error.strerror})"
        return Check(
            key, name, WARNING, text, "Free space there, or choose another folder.", {"folder": str(folder)}
        )
    facts = {"folder": str(folder), "free_bytes": free}
    text = f"{free / 1e9:.1f} GB free in {folder}"
    if free < LOW_DISK_BYTES:
        return Check(key, name, WARNING, text, "Free some space on this disk.", facts)
    return Check(key, name, OK, text, facts=facts)


def probe(code: str, seconds: float = PROBE_SECONDS) -> Tuple[Optional[Dict[str, Any]], str]:
    """Run ``code`` in a child process; return the JSON object it printed last, or None, and what went wrong.

    The child sees the same packages as this process, LiverSegLib among them.
    """
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(entry for entry in sys.path if entry))
    try:
        run = subprocess.run(
            [sys.executable, "-c", code],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, env=environment,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None, f"it did not answer within {seconds:.0f} s"
    except OSError as error:
        return None, f"no process could be started ({error.strerror})"
    if run.returncode < 0:
        return None, f"the process crashed (signal {-run.returncode})"
    if run.returncode > 0:
        return None, _last_line(run.stderr) or f"the process ended with status {run.returncode}"
    try:
        return json.loads(_last_line(run.stdout)), ""
    except ValueError:
        return None, "the process gave no answer"


def _device_check(device: Dict[str, Any]) -> Check:
    """A device and the engine that would run on it."""
    from ..inference.devices import ENGINES

    words = [str(device["name"])]
    if device.get("memory_bytes"):
        free = f", {device['free_bytes'] / 2**30:.1f} GiB free" if device.get("free_bytes") else ""
        words.append(f"{device['memory_bytes'] / 2**30:.1f} GiB{free}")
    if device.get("threads"):
        words.append(f"{device['threads']} threads")
    words.append(f"{ENGINES[device['engine']]} computes in {device['precision']}")
    kind = str(device["kind"])
    return Check(f"device:{kind}", f"Device {kind}", OK, "; ".join(words), facts=device)


def _model_check(model: "Model") -> Check:
    key, name = f"model:{model.origin}:{model.path.name}", f"Model {model.name}"
    facts = {"folder": str(model.path), "origin": model.origin}
    try:
        model.verify()
    except ModelError as error:
        return Check(
            key, name, WARNING, str(error), f"Remove {model.path} or install the model again.", facts
        )
    facts["sha256"] = model.sha256
    version = "unknown" if model.manifest is None else model.manifest.version
    text = f"version {version}, {model.origin}, {model.size_bytes / 1e6:.1f} MB, checksums right"
    return Check(key, name, OK, text, facts=facts)


def _last_line(output: bytes) -> str:
    lines = output.decode("utf-8", "replace").strip().splitlines()
    return lines[-1].strip() if lines else ""


def _dotted(version: Tuple[int, ...]) -> str:
    return ".".join(str(number) for number in version)


def _numbers(version: str) -> Tuple[int, ...]:
    """The first two numbers of a version such as 2.13.0+cpu."""
    return tuple(
        int("".join(c for c in part if c.isdigit()) or 0) for part in version.split("+")[0].split(".")[:2]
    )
