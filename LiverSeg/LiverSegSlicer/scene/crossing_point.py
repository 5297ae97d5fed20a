"""Where the slice views cross: the place that the user looks at."""

from typing import Tuple

import numpy as np
import slicer

_VIEWS = ("Red", "Green", "Yellow")


def slicesCrossing() -> Tuple[float, float, float]:
    """Return the point, world RAS mm, in which the three slices of Slicer's usual layouts cross.

    Where slices are parallel, the nearest point to all of them and to their middles.
    """
    normals, distances, middles = [], [], []
    for name in _VIEWS:
        sliceNode = slicer.mrmlScene.GetSingletonNode(name, "vtkMRMLSliceNode")
        if sliceNode is None:
            continue
        matrix = sliceNode.GetSliceToRAS()
        normal = np.array([matrix.GetElement(row, 2) for row in range(3)])
        middle = np.array([matrix.GetElement(row, 3) for row in range(3)])
        normals.append(normal)
        distances.append(normal @ middle)
        middles.append(middle)
    if not normals:
        return 0.0, 0.0, 0.0
    middle = np.mean(middles, axis=0)
    offsets = np.array(distances) - np.array(normals) @ middle
    point = middle + np.linalg.lstsq(np.array(normals), offsets, rcond=None)[0]
    return float(point[0]), float(point[1]), float(point[2])
