"""What works elsewhere but not in Slicer: threads, Qt subclasses, dialogs, waiting, re-entry; long files."""

import ast
from typing import Iterator, Mapping

from ..findings import Finding
from ..source import Source, dotted, full_name, imported_names
from .loading import imported_modules

THREADS = {"_thread", "asyncio", "concurrent", "multiprocessing", "threading"}
QT_THREADS = {"QRunnable", "QThread", "QThreadPool"}
WAITING = {
    "os.system", "subprocess.call", "subprocess.check_call", "subprocess.check_output",
    "subprocess.getoutput", "subprocess.run", "time.sleep",
}  # fmt: skip
WAITING_METHODS = {"waitForBytesWritten", "waitForFinished", "waitForReadyRead", "waitForStarted"}
POP_UPS = {"errorDisplay", "infoDisplay", "messageBox", "tryWithErrorDisplay", "warningDisplay"}
LONGEST = 400


def check_manners(source: Source) -> Iterator[Finding]:
    """Everything of that sort in one file."""
    imports = imported_names(source.tree)
    lines = source.text.count("\n")
    if lines > LONGEST:
        yield Finding(source.name, LONGEST + 1, "length", f"{lines} lines: keep files under {LONGEST}")
    for node in ast.walk(source.tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for module in imported_modules(node):
                if module.split(".")[0] in THREADS:
                    message = f"{module}: Python's threads starve in Slicer; use QProcess and QTimer"
                    yield Finding(source.name, node.lineno, "thread", message)
        elif isinstance(node, ast.ClassDef):
            for base in node.bases:
                full = full_name(dotted(base), imports)
                if full.startswith(("qt.", "ctk.", "slicer.q")):
                    message = f"PythonQt does not support subclasses of {full}"
                    yield Finding(source.name, node.lineno, "subclass", message)
        elif isinstance(node, ast.Call):
            yield from _check_call(source, node, imports)


def _check_call(source: Source, node: ast.Call, imports: Mapping[str, str]) -> Iterator[Finding]:
    full = full_name(dotted(node.func), imports)
    last = node.func.attr if isinstance(node.func, ast.Attribute) else full.split(".")[-1]
    if full.startswith("qt.") and full.split(".")[1] in QT_THREADS:
        yield Finding(source.name, node.lineno, "thread", f"{full}: no threads in Slicer's process")
    elif last in ("exec_", "exec") and isinstance(node.func, ast.Attribute):
        yield Finding(source.name, node.lineno, "dialog", f"{last}() waits in a dialog: say it in the panel")
    elif full.startswith("qt.QMessageBox.") or full.startswith("slicer.util.") and last in POP_UPS:
        yield Finding(source.name, node.lineno, "dialog", f"{last} is a pop-up: say it in the panel")
    elif full in WAITING or last in WAITING_METHODS:
        yield Finding(source.name, node.lineno, "blocking", f"{last} stops Slicer's event loop")
    elif last == "processEvents":
        message = "processEvents runs other slots in between: say what keeps them harmless"
        yield Finding(source.name, node.lineno, "reentry", message)
