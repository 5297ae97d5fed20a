"""What LiverSeg's logic computes with: the worker and its runs, engines, models, a server."""

import os
from functools import partial
from typing import Any, Callable, Optional, Union

from LiverSegLib.worker.server_messages import ServerAddress

from .jobs import testServerSteps
from .work import engine_install as install
from .work.engines import EngineState, engineState
from .work.models import addSteps, removeSteps
from .work.requirements import TorchState, torchState
from .work.run import Completed, Progress, Run, Steps
from .work.worker_process import WorkerProcess, sharedWorker


class SetupLogic:
    """The part of the logic that has nothing to do with a scan.

    Args:
        worker: The worker to use; the one that all of this Slicer shares if None.
    """

    def __init__(self, worker: Optional[WorkerProcess] = None) -> None:
        self._worker = worker

    @property
    def worker(self) -> WorkerProcess:
        """The worker that computes."""
        return self._worker if self._worker is not None else sharedWorker()

    def activeRun(self) -> Optional[Run]:
        """The run that the worker is busy with, whoever started it."""
        return self.worker.occupant

    def engineState(self) -> EngineState:
        """What there is to compute with, and what installing an engine would take."""
        return engineState()

    def installEngine(
        self, confirm: Callable[[str], bool], engine: str = "auto", progress: Optional[Progress] = None
    ) -> bool:
        """Install what LiverSeg computes with into Slicer's Python if ``confirm(question)`` returns True.

        Args:
            confirm: gets the question, which says what is installed and how big it is.
            engine: "openvino", "onnxruntime" or "torch"; "auto" takes what suits the computer, and nothing
                where an engine is there.

        Returns:
            Whether the engine can be used now; False if the answer was no.

        Raises:
            LiverSegError: With a sentence; it could not be installed.
        """
        return install.installEngine(self.worker, confirm, engine, progress)

    def installEngineAsync(
        self, engine: str, progress: Optional[Progress] = None, completed: Optional[Completed] = None
    ) -> Run:
        """Install "openvino" or "onnxruntime" in the background, without asking; ``completed(name, error)``
        is called once."""
        return self._start(partial(install.installSteps, engine), progress, completed)

    def addModel(self, source: Union[str, "os.PathLike[str]"], configuration: Optional[str] = None) -> str:
        """Add a model of nnU-Net, TotalSegmentator or MONAI to the user's models, and wait for it.

        Args:
            source: the trained model's folder, or a zip archive.
            configuration: which, where there are several, such as "3d_fullres".

        Returns:
            The name by which ``segment(model=...)`` knows it.

        Raises:
            LiverSegError: With a sentence; nothing was added.
        """
        return self._wait(partial(addSteps, os.fspath(source), configuration), None)

    def addModelAsync(
        self,
        source: Union[str, "os.PathLike[str]"],
        configuration: Optional[str] = None,
        progress: Optional[Progress] = None,
        completed: Optional[Completed] = None,
    ) -> Run:
        """The same in the background; ``completed(name, error)`` is called once."""
        return self._start(partial(addSteps, os.fspath(source), configuration), progress, completed)

    def removeModelAsync(
        self, name: str, progress: Optional[Progress] = None, completed: Optional[Completed] = None
    ) -> Run:
        """Delete a model that the user added, in the background; ``completed(name, error)`` is called."""
        return self._start(partial(removeSteps, name), progress, completed)

    def testServerAsync(
        self,
        server: ServerAddress,
        progress: Optional[Progress] = None,
        completed: Optional[Completed] = None,
    ) -> Run:
        """Look in the background whether a server can be used; ``completed(answer, error)`` is called."""
        return self._start(partial(testServerSteps, server), progress, completed)

    def torchState(self) -> TorchState:
        """Whether PyTorch, which GPUs and models of other programs need, is there."""
        return torchState()

    def installTorch(self, confirm: Callable[[str], bool]) -> bool:
        """Install PyTorch into Slicer's Python if ``confirm(question)`` returns True; see
        ``requirements.installTorch``."""
        return install.installTorch(self.worker, confirm)

    def _start(
        self, steps: Callable[[Run], Steps], progress: Optional[Progress], completed: Optional[Completed]
    ) -> Run:
        return Run(self.worker, steps, progress=progress, completed=completed).start()

    def _wait(self, steps: Callable[[Run], Steps], progress: Optional[Progress]) -> Any:
        return Run(self.worker, steps, progress=progress, blocking=True).start().wait()
