"""Which device computes, in which precision, with how many threads."""

import contextlib
import os
import platform
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List

from LiverSegLib.errors import DeviceError, UsageError
from LiverSegLib.sentences import Sentence

DEVICES = ("auto", "cpu", "cuda", "mps")
MAX_THREADS = 16
"""More threads than this do not help networks of this size, and the radiologist's machine has other work."""


@dataclass(frozen=True)
class Device:
    """``kind`` is "cpu", "cuda" or "mps"; ``precision`` is "float32", "bfloat16" or "float16"."""

    kind: str
    name: str
    precision: str
    threads: int


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


def choose_device(wanted: str = "auto", *, precision: str = "auto", threads: int = 0) -> Device:
    """Return the device to compute on.

    Args:
        wanted: "auto" takes CUDA, then Apple's MPS, then the CPU.
        precision: "auto", or "float32", "bfloat16", "float16".
        threads: CPU threads; 0 for as many as this process may use, at most MAX_THREADS.

    Raises:
        UsageError: no such device or precision is known.
        DeviceError: PyTorch is missing, or the wanted device is not there.
    """
    if wanted not in DEVICES:
        raise UsageError(Sentence("device.unknown", wanted=wanted, devices=", ".join(DEVICES)))
    if precision not in ("auto", "float32", "bfloat16", "float16"):
        raise UsageError(Sentence("device.precision", precision=precision))
    torch = require_torch()
    has = {"cuda": torch.cuda.is_available(), "mps": _has_mps(torch), "cpu": True}
    kind = wanted if wanted != "auto" else next(k for k in ("cuda", "mps", "cpu") if has[k])
    if not has[kind]:
        there = ", ".join(k for k in ("cuda", "mps", "cpu") if has[k])
        raise DeviceError(Sentence("device.absent", kind=kind.upper(), there=there))
    if precision == "auto":
        precision = {"cuda": "float16", "mps": "float32", "cpu": _cpu_precision(torch)}[kind]
    return Device(kind, _device_name(torch, kind), precision, threads or usable_threads())


def usable_threads() -> int:
    """CPU cores that this process may use, at most MAX_THREADS."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        cores = os.cpu_count() or 1
    return max(1, min(cores, MAX_THREADS))


@contextlib.contextmanager
def bounded_threads(threads: int) -> Iterator[None]:
    """Let PyTorch use so many threads inside the block, and as many as before after it."""
    torch = require_torch()
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def describe_devices() -> List[Dict[str, Any]]:
    """What there is to compute on: kind, name, precision and, where known, memory in bytes; [] without
    PyTorch.
    """
    try:
        torch = require_torch()
    except DeviceError:
        return []
    found: List[Dict[str, Any]] = []
    for kind in ("cuda", "mps", "cpu"):
        try:
            device = choose_device(kind)
        except DeviceError:
            continue
        entry: Dict[str, Any] = {"kind": kind, "name": device.name, "precision": device.precision}
        if kind == "cuda":
            free, total = torch.cuda.mem_get_info()
            entry.update(memory_bytes=total, free_bytes=free)
        if kind == "cpu":
            entry["threads"] = device.threads
        found.append(entry)
    return found


def _has_mps(torch: Any) -> bool:
    backend = getattr(torch.backends, "mps", None)
    return bool(backend is not None and backend.is_available())


def _cpu_precision(torch: Any) -> str:
    """bfloat16 where the processor computes it itself; elsewhere it is emulated, slower than float32."""
    try:
        native = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    except (AttributeError, RuntimeError):
        return "float32"
    if not native:
        return "float32"
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            flags = file.read(20000)
    except OSError:
        return "float32"
    return "bfloat16" if "avx512_bf16" in flags or "amx_bf16" in flags else "float32"


def _device_name(torch: Any, kind: str) -> str:
    if kind == "cuda":
        return str(torch.cuda.get_device_name())
    if kind == "mps":
        return "Apple GPU"
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else (platform.processor() or platform.machine())
