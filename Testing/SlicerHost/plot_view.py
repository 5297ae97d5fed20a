"""Plots of the scene drawn by VTK's charts, as Slicer draws them: scatter plots and lines."""

from typing import Any

import slicer
import vtk
import vtkmodules.vtkRenderingContextOpenGL2  # noqa: F401  charts are drawn by it once it is loaded
from PySide6 import QtWidgets
from vtkmodules.vtkChartsCore import vtkChart, vtkChartXY
from vtkmodules.vtkRenderingContext2D import vtkContextActor

from .observing import Observations
from .qmrml_widgets import qMRMLWidget
from .registry import slicer_class
from .vtk_canvas import VtkCanvas


@slicer_class
class qMRMLPlotView(VtkCanvas):
    """Shows the chart that a plot view node names."""

    def __init__(self, node: Any, parent: Any = None) -> None:
        super().__init__(parent)
        self._node = node
        self._chart = vtkChartXY()
        self._chart.SetShowLegend(True)
        actor = vtkContextActor()
        renderer = vtk.vtkRenderer()
        renderer.SetBackground(1, 1, 1)
        renderer.AddActor(actor)
        self.render_window.AddRenderer(renderer)
        actor.GetScene().AddItem(self._chart)
        actor.GetScene().SetRenderer(renderer)
        self._view_observations = Observations(self)
        self._view_observations.add(node, "ModifiedEvent", self._follow)
        self._chart_observations = Observations(self)
        self._follow()

    def chart(self) -> Any:
        return self._chart

    def fitToContent(self) -> None:
        self._chart.RecalculateBounds()
        self.schedule_render()

    def _follow(self) -> None:
        self._chart_observations.clear()
        chart_node = self._node.GetPlotChartNode()
        if chart_node is not None:
            self._chart_observations.add(chart_node, "ModifiedEvent", self._draw)
            self._chart_observations.add(
                chart_node, slicer.vtkMRMLPlotChartNode.PlotModifiedEvent, self._draw
            )
        self._draw()

    def _draw(self) -> None:
        self._chart.ClearPlots()
        chart_node = self._node.GetPlotChartNode()
        if chart_node is None:
            self._chart.SetTitle("")
        else:
            self._chart.SetTitle(chart_node.GetTitle() or "")
            self._chart.GetAxis(1).SetTitle(chart_node.GetXAxisTitle() or "")
            self._chart.GetAxis(0).SetTitle(chart_node.GetYAxisTitle() or "")
            for index in range(chart_node.GetNumberOfPlotSeriesNodes()):
                self._add(chart_node.GetNthPlotSeriesNode(index))
        self.fitToContent()

    def _add(self, series_node: Any) -> None:
        table = series_node.GetTableNode().GetTable()
        if not table.GetNumberOfRows():
            return
        plot = self._chart.AddPlot(vtkChart.LINE)
        across, up = series_node.GetXColumnName(), series_node.GetYColumnName()
        plot.SetInputData(table, across, up)
        plot.SetLabel(series_node.GetName())
        plot.SetMarkerStyle(series_node.GetMarkerStyle())
        plot.SetMarkerSize(series_node.GetMarkerSize())
        plot.SetWidth(series_node.GetLineWidth())
        plot.GetPen().SetLineType(series_node.GetLineStyle())
        plot.SetColorF(*series_node.GetColor())


@slicer_class
class qMRMLPlotWidget(qMRMLWidget):
    """The plot view of a layout."""

    def __init__(self, node: Any, parent: Any = None) -> None:
        super().__init__(parent)
        self._node = node
        self._view = qMRMLPlotView(node)
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._view)

    def plotView(self) -> qMRMLPlotView:
        return self._view

    viewWidget = plotView
