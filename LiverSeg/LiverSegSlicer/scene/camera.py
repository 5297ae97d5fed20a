"""The cameras of the 3D views: organs are seen from in front and fill the view.

The camera nodes are set from the organs' box. What the view's own ``rotateToViewAxis`` and ``resetCamera``
leave depends on everything else that the scene shows.
"""

import math
from typing import Tuple

import numpy as np
import slicer

FILL = 0.9
"""Part of a 3D view's height or width, whichever is tighter, that the box of the organs takes."""


def lookFromFront(low: np.ndarray, high: np.ndarray) -> None:
    """Point the camera of every 3D view at a box from in front, the head up.

    Args:
        low, high: corners of the box, world RAS mm (3,).
    """
    layoutManager = slicer.app.layoutManager()
    if layoutManager is None:
        return
    for index in range(layoutManager.threeDViewCount):
        view = layoutManager.threeDWidget(index).threeDView()
        cameraNode = view.cameraNode()
        if cameraNode is not None:
            _look(cameraNode, low, high, view.width / max(1, view.height))


def _look(
    cameraNode: "slicer.vtkMRMLCameraNode", low: np.ndarray, high: np.ndarray, widthToHeight: float
) -> None:
    middle, half = (low + high) / 2, np.maximum((high - low) / 2, 1.0)
    distance, halfHeight = _distance(half, math.radians(cameraNode.GetViewAngle()), widthToHeight)
    wasModifying = cameraNode.StartModify()
    cameraNode.SetFocalPoint(*middle)
    cameraNode.SetPosition(middle[0], middle[1] + distance, middle[2])
    cameraNode.SetViewUp(0.0, 0.0, 1.0)
    cameraNode.SetParallelScale(halfHeight)
    cameraNode.EndModify(wasModifying)
    cameraNode.ResetClippingRange()


def _distance(half: np.ndarray, viewAngle: float, widthToHeight: float) -> Tuple[float, float]:
    """How far from its middle a box fills a view, in mm, and half the height of what is then seen of it.

    Args:
        half: half the size of the box, RAS mm (3,).
        viewAngle: from the lower to the upper edge of the view, in radians.
        widthToHeight: of the view.
    """
    halfHeight = max(half[2], half[0] / widthToHeight) / FILL
    return half[1] + halfHeight / math.tan(viewAngle / 2), halfHeight
