"""What clicks cost in the shown panel: ROIs placed, one moved, another scan looked at, Slicer quit."""

from pathlib import Path
from typing import Any, List

from panel_timing import Line, Pause, Stages, add_volume, finish, in_ms, now, since

PLACING_MS = 150.0
MOVED_MS = 100.0
LOOKING_MS = 20.0
QUIT_MS = 1000.0
MOVES = 10
LARGE_SLICES = 600


def clicks(host: Any, real: Any, sample: Path) -> List[Line]:
    """Place ten ROIs beside a result of the sample, with all views drawn, and move one of them.

    What the views take is the machine's: it is shown, and taken off.
    """
    import slicer

    host.openWindow()
    panel = host.showModule("LiverSeg").panel
    volume = slicer.util.loadVolume(str(sample))
    run = real.segmentAsync(volume)
    finish(host, run)
    panel.parameters.inputVolume = volume
    panel.ui.fattySection.collapsed = False
    host.settle(1.0)
    stages = Stages(host)
    panel.ui.fattyPlaceButton.click()
    host.waitFor(lambda: panel.ui.roisTable.rowCount >= 10 and panel.ui.roiResetButton.enabled, 60)
    host.settle(0.5)
    stages.stop()
    placing = stages.longest()
    moved = [move(host, panel, step) for step in range(MOVES)]
    drawn = frame(host)
    host.parkWindow()
    host.clear()
    middle = sorted(moved)[MOVES // 2]
    return [
        in_ms("drawing the four views by software once, median", drawn),
        in_ms("gap, placing ten ROIs, less one such drawing", less(placing, drawn), PLACING_MS),
        in_ms("an ROI is moved until its row follows, less one, median", less(middle, drawn), MOVED_MS),
    ]


def less(pause: Pause, part: Pause) -> Pause:
    """What a pause took beside a part of it."""
    return Pause(max(0.0, pause.clock - part.clock), max(0.0, pause.own - part.own))


def frame(host: Any) -> Pause:
    """Draw all views once, as after any change of an ROI; the median of some."""
    import slicer

    taken = []
    for _ in range(MOVES):
        start = now()
        for view in slicer.util.getNodesByClass("vtkMRMLAbstractViewNode"):
            view.Modified()
        for _turn in range(2):
            slicer.app.processEvents()
        taken.append(since(start))
    return sorted(taken)[MOVES // 2]


def move(host: Any, panel: Any, step: int) -> Pause:
    """Move the first ROI by a millimetre; the time until its mean in the table is another one."""
    from LiverSegSlicer.fatty_liver.rois import roiNodes

    node = roiNodes(panel.parameters.segmentation)[0]
    centre = [0.0, 0.0, 0.0]
    node.GetCenter(centre)
    reading = text_of(panel)
    start = now()
    node.SetCenter(centre[0] + (1.0 if step % 2 else -1.0), centre[1], centre[2])
    host.waitFor(lambda: text_of(panel) != reading, 10)
    return since(start)


def text_of(panel: Any) -> str:
    """The reading of the result, as the scene keeps it."""
    from LiverSegSlicer.scene import parts

    return parts.part(panel.parameters.segmentation, parts.STEATOSIS).GetText()


def looking(host: Any) -> Line:
    """Describe a scan of 512 x 512 x 600, as each drawing of the panel does; the median of some."""
    from LiverSegSlicer.scene.volumes import describeVolume

    volume = add_volume(LARGE_SLICES)
    taken = []
    for _ in range(MOVES):
        start = now()
        describeVolume(volume)
        taken.append(since(start))
    host.clear()
    what = f"looking at a scan of 512 x 512 x {LARGE_SLICES}, median"
    return in_ms(what, sorted(taken)[MOVES // 2], LOOKING_MS)


def quitting(real: Any) -> Line:
    """End a warm worker, as Slicer does when it quits."""
    start = now()
    real.worker.quit()
    return in_ms("quitting with a warm worker", since(start), QUIT_MS)
