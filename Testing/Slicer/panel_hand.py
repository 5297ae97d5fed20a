"""A hand that clicks on the real panel as a user does."""

from panel_doubles import FakeLogic
from PySide6 import QtCore, QtWidgets
from PySide6.QtTest import QTest

WIDTH = 360
"""The panel must serve at this width."""


class Hand:
    """Clicks and reads as a user does; widgets are named as in LiverSeg.ui.

    Args:
        host: the session.
        panel: the LiverSegSlicer.panel.panel.Panel.
        logic: its logic.
    """

    def __init__(self, host, panel, logic):
        self.host = host
        self.panel = panel
        self.logic = logic

    def widget(self, name):
        """The PySide6 widget behind a name."""
        from SlicerHost.pythonqt import unwrap

        return unwrap(getattr(self.panel.ui, name))

    def click(self, name):
        """Press and release the left button on a widget that can be seen; a disabled one does nothing."""
        widget = self.widget(name)
        assert widget.isVisible(), f"{name} is not to be seen"
        position = widget.rect().center()
        if isinstance(widget, QtWidgets.QCheckBox):
            position = QtCore.QPoint(8, widget.height() // 2)
        QTest.mouseClick(widget, QtCore.Qt.LeftButton, QtCore.Qt.NoModifier, position)
        self.host.settle(0.01)

    def open(self, name):
        """Click on the title of a section."""
        section = self.widget(name)
        QTest.mouseClick(section, QtCore.Qt.LeftButton, QtCore.Qt.NoModifier, QtCore.QPoint(60, 8))
        self.host.settle(0.01)

    def clickRow(self, name, row, column=1):
        """Click on a cell of a table."""
        table = self.widget(name)
        position = table.visualItemRect(table.item(row, column)).center()
        QTest.mouseClick(table.viewport(), QtCore.Qt.LeftButton, QtCore.Qt.NoModifier, position)
        self.host.settle(0.01)

    def chooseScan(self, volumeNode):
        """Choose a volume in the selector with the keyboard."""
        box = self.widget("scanSelector").findChild(QtWidgets.QComboBox)
        box.setFocus()
        wanted = box.findData(volumeNode.GetID())
        while box.currentIndex() != wanted:
            QTest.keyClick(box, QtCore.Qt.Key_Down if box.currentIndex() < wanted else QtCore.Qt.Key_Up)
        self.host.settle(0.05)

    def text(self, name):
        """What a widget says; empty if it cannot be seen."""
        widget = self.widget(name)
        return widget.text() if widget.isVisible() else ""

    def seen(self, name):
        """Whether a widget can be seen."""
        return self.widget(name).isVisible()

    def enabled(self, name):
        """Whether a widget can be used."""
        return self.widget(name).isEnabled()

    def tip(self, name):
        """A widget's tooltip."""
        return self.widget(name).toolTip()

    def settle(self, seconds=0.05):
        """Let the event loop turn."""
        self.host.settle(seconds)

    def saveAndOpen(self, folder):
        """The scene saved, closed and opened again."""
        import slicer

        path = str(folder / "case.mrb")
        assert slicer.util.saveScene(path)
        slicer.mrmlScene.Clear(False)
        self.settle()
        slicer.util.loadScene(path)
        self.settle()

    def segment(self):
        """A whole run on the chosen scan; returns the segmentation node."""
        self.click("segmentButton")
        self.logic.run.finish()
        self.settle()
        return self.panel.parameters.segmentation


def makeHand(host, logic=None):
    """Put a panel of its own on the screen, 360 pixels wide; returns the hand and a function that ends it."""
    import qt
    import slicer

    from LiverSegSlicer import places
    from LiverSegSlicer.panel.panel import Panel
    from SlicerHost.pythonqt import unwrap

    logic = logic or FakeLogic()
    uiWidget = slicer.util.loadUI(str(places.resourceFolder() / "UI" / "LiverSeg.ui"))
    panel = Panel(uiWidget, logic)
    area = QtWidgets.QScrollArea()
    area.setWidgetResizable(True)
    area.setWidget(unwrap(uiWidget))
    area.resize(WIDTH, 1000)
    area.show()
    panel.enter()
    host.settle(0.05)

    def end():
        panel.close()
        area.deleteLater()
        host.settle(0.01)
        qt.QSettings().clear()

    return Hand(host, panel, logic), end
