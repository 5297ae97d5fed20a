"""Which engine computes on which device, in which precision, with how many threads.

An engine is a library that runs networks. On the CPU OpenVINO comes first, as it is the fastest everywhere;
then ONNX Runtime; then PyTorch, which needs less time for a tile than ONNX Runtime on two free cores, but
more processor time, twice the memory, and seconds to load (docs/performance.md has the figures). Graphics
cards are PyTorch's alone.
"""

import ctypes
import importlib.util
import os
import platform
import sys
from dataclasses import dataclass, replace
from typing import Any, Dict, List, Optional, Sequence, Tuple

from LiverSegLib.errors import DeviceError, UsageError
from LiverSegLib.sentences import Sentence

DEVICES = ("auto", "cpu", "cuda", "mps")
ENGINES = {"openvino": "OpenVINO", "onnxruntime": "ONNX Runtime", "torch": "PyTorch"}
"""Engine, which is the name of its Python module -> its name for people; in the order of choice on a CPU."""
PRECISIONS = ("auto", "float32", "bfloat16", "float16")
MAX_THREADS = 16
"""More threads than this do not help networks of this size, and the radiologist's machine has other work."""


@dataclass(frozen=True)
class Device:
    """What computes: ``engine`` of ENGINES on ``kind``, which is "cpu", "cuda" or "mps", called ``name``, in
    ``precision``, which is "float32", "bfloat16" or "float16".
    """

    kind: str
    name: str
    precision: str
    threads: int
    engine: str = "torch"

    @property
    def is_reference(self) -> bool:
        """Whether it computes as exactly as any: on the CPU, in float32."""
        return self.kind == "cpu" and self.precision == "float32"


def require_torch() -> Any:
    """Return the ``torch`` module.

    Raises:
        DeviceError: PyTorch is not installed or does not load.
    """
    try:
        import torch
    except ImportError as error:
        raise DeviceError(Sentence("device.no-torch"), str(error)) from error
    except OSError as error:  # a broken installation: a shared library is missing
        raise DeviceError(Sentence("device.broken-torch"), str(error)) from error
    return torch


def choose_device(
    wanted: str = "auto", *, engine: str = "auto", precision: str = "auto", threads: int = 0
) -> Device:
    """Return the first of :func:`choose_devices`."""
    return choose_devices(wanted, engine=engine, precision=precision, threads=threads)[0]


def choose_devices(
    wanted: str = "auto", *, engine: str = "auto", precision: str = "auto", threads: int = 0
) -> Tuple[Device, ...]:
    """Return what to compute with, the best first; the others are for when it fails.

    Args:
        wanted: "auto" takes CUDA, then Apple's MPS, then the CPU; behind a graphics card the CPU follows.
        engine: "auto", or one of ENGINES, and no other then.
        precision: "auto", or "float32", "bfloat16", "float16"; float32 follows behind the others.
        threads: CPU threads; 0 for as many as this process may use, at most MAX_THREADS.

    Raises:
        UsageError: no such device, engine or precision is known.
        DeviceError: no engine is installed, or what is wanted is not there.
    """
    _require_known(wanted, engine, precision)
    there = installed_engines()
    engines = [name for name in there if engine in ("auto", name)]
    if not engines:
        raise _no_engine(engine, there)
    threads = threads or usable_threads()
    graphics = _graphics(wanted, engines)
    found = []
    if graphics is not None:
        name = "float16" if graphics[0] == "cuda" else "float32"
        chosen = name if precision == "auto" else precision
        found.append(Device(*graphics, chosen, threads, "torch"))
    for name in engines:
        found += _on_cpu(name, precision, threads)
    return tuple(found)


def installed_engines() -> List[str]:
    """The engines that are installed, in the order of choice; whether they load is seen when they do."""
    return [name for name in ENGINES if importlib.util.find_spec(name) is not None]


def usable_threads() -> int:
    """CPU cores that this process may use, at most MAX_THREADS."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        cores = os.cpu_count() or 1
    return max(1, min(cores, MAX_THREADS))


def describe_devices() -> List[Dict[str, Any]]:
    """What there is to compute on: kind, name, engine, precision and, where known, memory in bytes; empty
    without an engine.
    """
    found: List[Dict[str, Any]] = []
    for kind in ("cuda", "mps", "cpu"):
        try:
            device = choose_device(kind)
        except DeviceError:
            continue
        entry: Dict[str, Any] = {
            "kind": kind, "name": device.name, "engine": device.engine, "precision": device.precision,
        }  # fmt: skip
        if kind == "cuda":
            free, total = require_torch().cuda.mem_get_info()
            entry.update(memory_bytes=total, free_bytes=free)
        if kind == "cpu":
            entry["threads"] = device.threads
        found.append(entry)
    return found


def _require_known(wanted: str, engine: str, precision: str) -> None:
    if wanted not in DEVICES:
        raise UsageError(Sentence("device.unknown", wanted=wanted, devices=", ".join(DEVICES)))
    if engine not in ("auto", *ENGINES):
        engines = ", ".join(("auto", *ENGINES))
        raise UsageError(Sentence("engine.unknown", wanted=engine, engines=engines))
    if precision not in PRECISIONS:
        raise UsageError(Sentence("device.precision", precision=precision))


def _no_engine(engine: str, there: Sequence[str]) -> DeviceError:
    if not there:
        return DeviceError(Sentence("engine.none"))
    names = ", ".join(ENGINES[name] for name in there)
    return DeviceError(Sentence("engine.absent", engine=ENGINES[engine], there=names))


def _graphics(wanted: str, engines: Sequence[str]) -> Optional[Tuple[str, str]]:
    """Kind and name of the graphics card to compute on; None for the CPU.

    Raises:
        DeviceError: one is wanted and not there.
    """
    if wanted == "cpu":
        return None
    if "torch" not in engines:
        if wanted == "auto":
            return None
        if engines and "torch" in installed_engines():
            raise DeviceError(Sentence("engine.cpu-only", engine=ENGINES[engines[0]], kind=wanted.upper()))
        raise DeviceError(Sentence("device.needs-torch", kind=wanted.upper()))
    if wanted == "auto" and not (graphics_driver() or "torch" in sys.modules):
        return None
    try:
        torch = require_torch()
    except DeviceError:
        if wanted == "auto":
            return None
        raise
    has = {"cuda": torch.cuda.is_available(), "mps": _has_mps(torch)}
    kind = wanted if wanted != "auto" else next((k for k in ("cuda", "mps") if has[k]), "cpu")
    if kind == "cpu":
        return None
    if not has[kind]:
        there = ", ".join(k for k in ("cuda", "mps", "cpu") if has.get(k, True))
        raise DeviceError(Sentence("device.absent", kind=kind.upper(), there=there))
    return kind, "Apple GPU" if kind == "mps" else str(torch.cuda.get_device_name())


def graphics_driver() -> bool:
    """Whether there may be a graphics card that PyTorch can use, found out without loading PyTorch."""
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        count = ctypes.c_int(0)
        return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0
    except (OSError, AttributeError):  # no driver, or none that we know
        return os.path.exists("/dev/kfd")  # AMD's, which PyTorch also calls "cuda"


def _has_mps(torch: Any) -> bool:
    backend = getattr(torch.backends, "mps", None)
    return bool(backend is not None and backend.is_available())


def _on_cpu(engine: str, precision: str, threads: int) -> List[Device]:
    """An engine on the CPU: as fast as it can, then in float32."""
    exact = Device("cpu", _cpu_name(), "float32", threads, engine)
    if precision == "auto":
        precision = "bfloat16" if _computes_bfloat16() else "float32"
    if precision == "float32" or engine == "onnxruntime":  # which has no kernels for less
        return [exact]
    return [replace(exact, precision=precision), exact]


def _computes_bfloat16() -> bool:
    """Whether the processor computes bfloat16 itself; elsewhere it is emulated, slower than float32."""
    flags = _cpu_facts()
    return "avx512_bf16" in flags or "amx_bf16" in flags


def _cpu_name() -> str:
    for line in _cpu_facts().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _cpu_facts() -> str:
    """What Linux says of the processor; empty elsewhere."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            return file.read(20000)
    except OSError:
        return ""
