"""What the reader clicks and draws in a slice view, shown until the correction is done."""

from typing import Any, Dict, List, Sequence, Tuple

import vtk

_COLORS = {True: (0.35, 0.9, 0.4), False: (1.0, 0.35, 0.3)}
"""Adds, removes."""
_LINE_PIXELS, _POINT_PIXELS = 3.0, 7.0


class _Drawing:
    """A line with points in the pixels of one view."""

    def __init__(self) -> None:
        self._data = vtk.vtkPolyData()
        self.points: List[Tuple[int, int]] = []
        mapper = vtk.vtkPolyDataMapper2D()
        mapper.SetInputData(self._data)
        self.actor = vtk.vtkActor2D()
        self.actor.SetMapper(mapper)
        self.actor.GetProperty().SetLineWidth(_LINE_PIXELS)
        self.actor.GetProperty().SetPointSize(_POINT_PIXELS)

    def show(self, points: Sequence[Tuple[int, int]], include: bool) -> None:
        """Show a line through points, or a dot at the only one."""
        self.points = list(points)
        places, lines, dots = vtk.vtkPoints(), vtk.vtkCellArray(), vtk.vtkCellArray()
        for x, y in self.points:
            places.InsertNextPoint(x, y, 0)
        if len(self.points) > 1:
            lines.InsertNextCell(len(self.points))
            for number in range(len(self.points)):
                lines.InsertCellPoint(number)
        for number in (0,) if len(self.points) == 1 else ():
            dots.InsertNextCell(1)
            dots.InsertCellPoint(number)
        self._data.SetPoints(places)
        self._data.SetLines(lines)
        self._data.SetVerts(dots)
        self.actor.GetProperty().SetColor(*_COLORS[include])


class Preview:
    """Args:
    scriptedEffect: draws into views.
    """

    def __init__(self, scriptedEffect: Any) -> None:
        self._effect = scriptedEffect
        self._drawings: Dict[str, Tuple[Any, _Drawing]] = {}

    def show(self, viewID: str, viewWidget: Any, points: Sequence[Tuple[int, int]], include: bool) -> None:
        """Show the points (pixels) of a click or stroke in a view, in place of what it showed."""
        _widget, drawing = self._drawings.get(viewID, (None, None))
        if drawing is None:
            drawing = _Drawing()
            self._drawings[viewID] = viewWidget, drawing
            drawing.show(points, include)
            self._effect.addActor2D(viewWidget, drawing.actor)
        else:
            drawing.show(points, include)
        self._effect.scheduleRender(viewWidget)

    def clear(self) -> None:
        """Show nothing any more."""
        drawings, self._drawings = self._drawings, {}
        for viewWidget, drawing in drawings.values():
            self._effect.removeActor2D(viewWidget, drawing.actor)
            self._effect.scheduleRender(viewWidget)
