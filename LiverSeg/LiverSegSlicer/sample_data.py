"""The bundled sample CT in Slicer's Sample Data module, without a download."""

from pathlib import Path

from .places import resourceFolder

CATEGORY = "LiverSeg"
"""Heading of the sample in the Sample Data module."""
SAMPLE_NAME = "LiverSegCT"
"""What ``SampleData.downloadSample`` knows the sample by."""
NODE_NAME = "Liver CT"
"""Name of the volume node that it is loaded into."""
FILE_NAME = "hcc013-portal.nii.gz"
"""Its file in Resources/SampleData; ATTRIBUTION.md beside it names the source and the licence."""
CHECKSUM = "SHA256:ec09812978872983dfc703367e0b2479fb056d6b3efe1f56537892a0aa9cab19"
"""Of that file, so that an older copy in Slicer's cache is not taken for it."""


def sampleFile() -> Path:
    """The bundled sample CT: portal venous phase, 1.5 x 1.5 x 2.5 mm, with a liver tumour."""
    return Path(resourceFolder()) / "SampleData" / FILE_NAME


def registerSampleData() -> bool:
    """Add the sample to Slicer's Sample Data module; call it when Slicer has started up (startupCompleted).

    Returns:
        False if this Slicer has no Sample Data module or the sample is not installed.
    """
    try:
        import SampleData
    except ImportError:
        return False
    sample = sampleFile()
    if not sample.is_file():
        return False
    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category=CATEGORY,
        sampleName=SAMPLE_NAME,
        # Slicer copies what a file URI names into its cache: nothing is downloaded.
        uris=sample.as_uri(),
        fileNames=FILE_NAME,
        nodeNames=NODE_NAME,
        checksums=CHECKSUM,
        loadFileType="VolumeFile",
        thumbnailFileName=str(Path(resourceFolder()) / "Icons" / "LiverSegSample.png"),
    )
    return True
