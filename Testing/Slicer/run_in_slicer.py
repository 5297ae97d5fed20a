"""Runs LiverSegTest inside 3D Slicer and leaves with its result, whatever happens.

    Slicer --testing --no-splash --ignore-slicerrc --disable-cli-modules \\
        --additional-module-paths LiverSeg --python-script Testing/Slicer/run_in_slicer.py

Exit status 0: the test passed. Without an engine in Slicer the parts of it that segment are skipped, unless
LIVERSEG_TEST_NEEDS_ENGINE=1.
"""

import traceback
import unittest

import slicer


def passes() -> bool:
    """Run the module's own test in this Slicer."""
    if not hasattr(slicer.modules, "liverseg"):
        print("Slicer has not loaded the module LiverSeg: see the messages above.")
        return False
    import LiverSeg

    suite = unittest.defaultTestLoader.loadTestsFromTestCase(LiverSeg.LiverSegTest)
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    return result.testsRun > 0 and result.wasSuccessful()


def main() -> None:
    """Run the test and leave Slicer."""
    # an error that went further up would leave Slicer open
    try:
        status = 0 if passes() else 1
    except BaseException:
        traceback.print_exc()
        status = 1
    slicer.util.exit(status)


main()
