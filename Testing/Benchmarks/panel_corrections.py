"""What a click that corrects costs in the shown panel: until the mask is new, until the numbers are, and the
longest gap of the event loop on the way.
"""

from typing import Any, List

import numpy as np
from panel_clicks import frame, less
from panel_timing import Line, Pause, Stages, add_volume, finish, in_ms, now, since

GAP_MS = 100.0
MASK_MS = 500.0
NUMBERS_MS = 1000.0
"""New numbers after the hand rests."""
LESIONS = (0.5, 0.3, 0.7)
"""Where the lesions of the made-up result lie, as a share of the slices."""


def corrections(host: Any, made_up: Any) -> List[Line]:
    """Click with Ctrl in each lesion of a made-up result of 110 and of 600 slices, with all views drawn.

    What one drawing of the views takes is the machine's: it is shown, and taken off the gap.
    """
    lines: List[Line] = []
    for slices in (110, 600):
        lines += on_a_scan(host, made_up, slices)
    return lines


def on_a_scan(host: Any, made_up: Any, slices: int) -> List[Line]:
    """The lines of one scan."""
    from LiverSegSlicer.correct.corrector import sharedCorrector
    from SlicerHost import view_mouse

    host.openWindow()
    panel = host.showModule("LiverSeg").panel
    panel.enter()  # another line may have left it
    volume = add_volume(slices)
    run = made_up.segmentAsync(volume)
    finish(host, run)
    panel.parameters.inputVolume = volume
    panel.ui.correctSection.collapsed = False
    host.settle(1.0)
    drawn = frame(host)
    masks: List[Pause] = []
    numbers: List[Pause] = []
    gaps: List[Pause] = []
    for number, share in enumerate(LESIONS):
        place = view_mouse.ras_of_voxel(volume, (179, 256, round(share * slices)))
        view_mouse.show_point("Red", place)
        host.settle(0.5)
        before = tumor_voxels(run.result)
        stages = Stages(host)
        start = now()
        view_mouse.click("Red", place, view_mouse.CONTROL)
        host.waitFor(lambda: not sharedCorrector().isBusy(), 60)
        masks.append(since(start))
        if tumor_voxels(run.result) == before:
            raise SystemExit(f"click {number + 1} changed nothing")
        rested = now()
        host.waitFor(lambda: not panel.ui.editedWidget.visible and not panel._measuring.isMeasuring(), 60)
        host.settle(0.05)
        numbers.append(since(rested))
        host.settle(0.3)
        stages.stop()
        gaps.append(stages.longest())
    panel.ui.correctSection.collapsed = True
    host.parkWindow()
    host.clear()
    size = f"512 x 512 x {slices}"
    limits = (MASK_MS, NUMBERS_MS, GAP_MS) if slices == 110 else (None, None, None)
    return [
        in_ms(f"first click on {size} until the mask is new", masks[0]),
        in_ms("  a later one, median", middle(masks[1:]), limits[0]),
        in_ms("  from then until the numbers are new, median", middle(numbers[1:]), limits[1]),
        in_ms("  longest gap of these, less one drawing, median", less(middle(gaps[1:]), drawn), limits[2]),
    ]


def tumor_voxels(segmentation: Any) -> int:
    """How many voxels the tumors have now."""
    from LiverSegSlicer.scene.segments import segmentMask

    found = segmentMask(segmentation, "tumour")
    return 0 if found is None else int(np.count_nonzero(found[0]))


def middle(pauses: List[Pause]) -> Pause:
    """The median pause."""
    return sorted(pauses)[len(pauses) // 2]
