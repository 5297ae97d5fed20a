"""Slicer's module SampleData, as far as another module registers its samples with it. Nothing is
downloaded.
"""

import os
import shutil
import sys
import types
from typing import Any, Callable, List, Optional
from urllib.parse import unquote, urlparse

import slicer


class SampleDataSource:
    """A sample as it was registered; single values become lists."""

    def __init__(
        self,
        sampleName: Optional[str] = None,
        sampleDescription: Optional[str] = None,
        uris: Any = None,
        fileNames: Any = None,
        nodeNames: Any = None,
        checksums: Any = None,
        loadFiles: Any = None,
        customDownloader: Optional[Callable] = None,
        thumbnailFileName: Optional[str] = None,
        loadFileType: Any = None,
        loadFileProperties: Any = None,
    ) -> None:
        self.sampleName = sampleName
        self.sampleDescription = sampleDescription or sampleName
        self.uris = _as_list(uris)
        self.fileNames = _as_list(fileNames)
        self.nodeNames = _as_list(nodeNames)
        self.checksums = _as_list(checksums)
        self.loadFiles = _as_list(loadFiles)
        self.customDownloader = customDownloader
        self.thumbnailFileName = thumbnailFileName
        self.loadFileType = loadFileType
        self.loadFileProperties = loadFileProperties or {}


def _as_list(value: Any) -> List[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


class SampleDataLogic:
    """Registers and loads samples."""

    @staticmethod
    def registerCustomSampleDataSource(
        category: str = "Custom",
        sampleName: Optional[str] = None,
        uris: Any = None,
        fileNames: Any = None,
        nodeNames: Any = None,
        customDownloader: Optional[Callable] = None,
        thumbnailFileName: Optional[str] = None,
        loadFileType: Any = "VolumeFile",
        loadFiles: Any = None,
        loadFileProperties: Any = None,
        checksums: Any = None,
    ) -> None:
        source = SampleDataSource(
            sampleName=sampleName,
            uris=uris,
            fileNames=fileNames,
            nodeNames=nodeNames,
            thumbnailFileName=thumbnailFileName,
            loadFileType=loadFileType,
            loadFiles=loadFiles,
            loadFileProperties=loadFileProperties,
            checksums=checksums,
            customDownloader=customDownloader,
        )
        slicer.modules.sampleDataSources.setdefault(category, []).append(source)

    def sourceForSampleName(self, sampleName: str) -> Optional[SampleDataSource]:
        for sources in slicer.modules.sampleDataSources.values():
            for source in sources:
                if source.sampleName == sampleName:
                    return source
        return None

    def downloadSample(self, sampleName: str) -> Any:
        return self.downloadSamples(sampleName)[0]

    def downloadSamples(self, sampleName: str) -> List[Any]:
        source = self.sourceForSampleName(sampleName)
        if source is None:
            raise RuntimeError(f"Cannot find sample data: {sampleName}")
        return self.downloadFromSource(source)

    def downloadFromSource(self, source: SampleDataSource) -> List[Any]:
        if source.customDownloader is not None:
            found = source.customDownloader(source)
            return found if isinstance(found, list) else [found]
        return [
            self._load(source, uri, file_name, node_name)
            for uri, file_name, node_name in zip(source.uris, source.fileNames, source.nodeNames)
        ]

    @staticmethod
    def _load(source: SampleDataSource, uri: str, file_name: str, node_name: str) -> Any:
        parsed = urlparse(uri)
        if parsed.scheme != "file":
            raise NotImplementedError(f"the host downloads nothing: {uri}")
        cached = os.path.join(slicer.app.temporaryPath, file_name)
        shutil.copyfile(unquote(parsed.path), cached)
        kind = source.loadFileType if isinstance(source.loadFileType, str) else source.loadFileType[0]
        return slicer.util.loadNodeFromFile(cached, kind, {**source.loadFileProperties, "name": node_name})


def install() -> None:
    """Makes `import SampleData` work."""
    slicer.modules.sampleDataSources = {}
    module = types.ModuleType("SampleData")
    module.SampleDataLogic, module.SampleDataSource = SampleDataLogic, SampleDataSource
    sys.modules["SampleData"] = module
