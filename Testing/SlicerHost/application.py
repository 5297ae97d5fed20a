"""slicer.app."""

from typing import Any

import slicer
from PySide6 import QtCore, QtWidgets

from . import facts
from .io_manager import qSlicerIOManager
from .modules import qSlicerModuleManager
from .registry import slicer_class, stored_property


@slicer_class
class qSlicerCommandOptions(QtCore.QObject):
    """slicer.app.commandOptions()."""

    noMainWindow = stored_property(bool, False)
    testingEnabled = stored_property(bool, False)
    pythonScript = stored_property(str, "")
    disableToolTips = stored_property(bool, False)
    runPythonAndExit = stored_property(bool, False)


@slicer_class
class qSlicerApplication(QtWidgets.QApplication):
    """The application: one a process."""

    startupCompleted = QtCore.Signal()
    mrmlSceneChanged = QtCore.Signal(object)

    def __init__(self, temporary_folder: str) -> None:
        # settings of the session go to its own folder, never to the user's
        QtCore.QSettings.setDefaultFormat(QtCore.QSettings.IniFormat)
        for scope in (QtCore.QSettings.UserScope, QtCore.QSettings.SystemScope):
            QtCore.QSettings.setPath(QtCore.QSettings.IniFormat, scope, temporary_folder)
        super().__init__(["Slicer"])
        self.setOrganizationName("NA-MIC")
        self.setApplicationName("Slicer")
        self.setApplicationVersion(".".join(map(str, facts.version())))
        self.setStyle("Fusion")
        self._temporary_path = temporary_folder
        self._settings = QtCore.QSettings()
        self._io_manager = qSlicerIOManager(self)
        self._module_manager = qSlicerModuleManager(self)
        self._command_options = qSlicerCommandOptions(self)
        self._layout_manager = None
        self._application_logic = None
        self._render_pauses = 0

    def _set_temporary_path(self, path: str) -> None:
        self._temporary_path = path

    temporaryPath = QtCore.Property(str, lambda self: self._temporary_path, _set_temporary_path)
    slicerHome = QtCore.Property(str, lambda self: self._temporary_path)
    slicerSharePath = QtCore.Property(str, lambda self: "share")
    cachePath = stored_property(str, "")
    extensionsInstallPath = stored_property(str, "")
    majorVersion = QtCore.Property(int, lambda self: facts.version()[0])
    minorVersion = QtCore.Property(int, lambda self: facts.version()[1])
    revision = QtCore.Property(str, lambda self: "host")
    repositoryRevision = QtCore.Property(str, lambda self: "host")
    releaseType = QtCore.Property(str, lambda self: "Stable")
    isInstalled = QtCore.Property(bool, lambda self: True)
    mainApplicationName = QtCore.Property(str, lambda self: "Slicer")
    documentationBaseUrl = QtCore.Property(str, lambda self: "https://slicer.readthedocs.io/en/latest/")
    documentationVersion = QtCore.Property(str, lambda self: "latest")
    os = QtCore.Property(str, lambda self: "linux")
    arch = QtCore.Property(str, lambda self: "amd64")
    platform = QtCore.Property(str, lambda self: "linux-amd64")

    def applicationLogic(self) -> Any:
        return self._application_logic

    def mrmlScene(self) -> Any:
        return slicer.mrmlScene

    def ioManager(self) -> qSlicerIOManager:
        return self._io_manager

    coreIOManager = ioManager

    def moduleManager(self) -> qSlicerModuleManager:
        return self._module_manager

    def moduleLogic(self, name: str) -> Any:
        return self._module_manager.module(name).logic()

    def layoutManager(self) -> Any:
        return self._layout_manager

    def commandOptions(self) -> qSlicerCommandOptions:
        return self._command_options

    def testingEnabled(self) -> bool:
        return self._command_options.property("testingEnabled")

    def settings(self) -> QtCore.QSettings:
        return self._settings

    userSettings = settings
    revisionUserSettings = settings
    defaultSettings = settings

    def translate(self, context: str, text: str) -> str:
        return text

    def moduleDocumentationUrl(self, name: str) -> str:
        return f"{self.property('documentationBaseUrl')}/user_guide/modules/{name.lower()}.html"

    def startupEnvironment(self) -> Any:
        return QtCore.QProcessEnvironment.systemEnvironment()

    environment = startupEnvironment

    def setRenderPaused(self, paused: bool) -> None:
        self._render_pauses += 1 if paused else -1

    def pauseRender(self) -> None:
        self.setRenderPaused(True)

    def resumeRender(self) -> None:
        self.setRenderPaused(False)

    def openUrl(self, url: str) -> None:
        from .qt_module import opened_urls

        opened_urls.append(url)
