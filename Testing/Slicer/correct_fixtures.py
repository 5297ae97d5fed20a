"""A panel with a result to correct, beside four views, with a real worker."""

import pytest
from panel_doubles import madeUpScan
from panel_hand import makeHand

MISSED = (15, 33, 26)
"""(z, y, x) in the smaller lesion."""
FOUND = (8, 23, 16)
"""(z, y, x) in the larger lesion."""


@pytest.fixture(scope="module")
def warmWorker(slicerSession):
    """The worker that all of Slicer shares; not one that a reloaded module has left."""
    import slicer

    from LiverSegSlicer.work.worker_process import ATTRIBUTE, WorkerProcess, sharedWorker

    left = getattr(slicer.modules, ATTRIBUTE, None)
    if left is not None and type(left) is not WorkerProcess:
        left.quit()
        delattr(slicer.modules, ATTRIBUTE)
    yield sharedWorker()
    sharedWorker().quit()


@pytest.fixture
def correcting(window, host, scene, warmWorker):
    """A panel with a result that misses the smaller lesion, beside four views; section Correct is open."""
    from LiverSegSlicer.scene.parts import volumeOf

    made, end = makeHand(host)
    made.logic.tumours = 1
    volumeNode = madeUpScan()
    made.settle()
    node = made.segment()
    made.logic.showResult(volumeNode, node)
    made.node, made.volumeNode = node, volumeOf(node)
    made.open("correctSection")
    made.settle()
    yield made
    made.logic.corrector.stop()
    made.host.waitFor(lambda: not made.logic.corrector.isBusy())
    end()


def labels(hand):
    """The segments now."""
    from LiverSegSlicer.scene.segments import labelsOf

    return labelsOf(hand.node, hand.volumeNode)


def wait(hand):
    """Until the corrections asked for are done."""
    hand.host.waitFor(lambda: not hand.logic.corrector.isBusy(), 20)
    hand.settle()


def status(hand):
    """What the effect says."""
    return hand.panel._correct._editor.activeSmartCorrect()._options._status.text
