"""The panel at 360 pixels, with small and large type, in both themes: nothing cut, everything explained."""

import pytest
from panel_doubles import FakeLogic
from panel_hand import makeHand
from PySide6 import QtGui, QtWidgets

from LiverSegLib.errors import WorkerError

pytest_plugins = ["panel_fixtures"]

SENTENCE = "The worker ended unexpectedly while it was loading the model; please try again."
CONTROLS = (
    QtWidgets.QAbstractButton,
    QtWidgets.QComboBox,
    QtWidgets.QAbstractSpinBox,
    QtWidgets.QTableWidget,
    QtWidgets.QProgressBar,
)


@pytest.fixture(scope="module", params=[1.0, 1.5])
def full(request, moduleHost):
    """The panel in its window with a result, a message and every section open; type as large as asked."""
    from panel_doubles import madeUpScan

    host = moduleHost
    host.openWindow()
    application = QtWidgets.QApplication.instance()
    usual = application.font()
    font = QtGui.QFont(usual)
    font.setPointSizeF(usual.pointSizeF() * request.param)
    application.setFont(font)
    hand, end = makeHand(host, FakeLogic())
    volumeNode = madeUpScan("A scan with a long name, as a hospital's archive gives them, series 4")
    volumeNode.SetSpacing(4, 4, 10)
    host.waitFor(lambda: hand.enabled("segmentButton"))
    hand.segment()
    hand.panel._message.fail(WorkerError(SENTENCE, "signal 9"))
    hand.open("advancedSection")
    hand.clickRow("lesionsTable", 0)
    hand.click("fattyPlaceButton")
    host.waitFor(lambda: hand.seen("fattyWidget"))
    hand.click("fattySettingsButton")
    hand.click("fattyAnywayCheckBox")
    hand.clickRow("roisTable", 0)
    hand.settle(0.1)
    yield hand
    end()
    application.setFont(usual)
    host.setTheme("light")
    host.parkWindow()
    host.clear()


def shown(hand, kind):
    """The visible widgets of a kind in the panel, Qt's own inner ones left out."""
    area = hand.widget("scanSection").parentWidget()
    widgets = [widget for widget in area.findChildren(kind) if widget.isVisible()]
    return [widget for widget in widgets if widget.objectName() and not widget.objectName().startswith("qt_")]


def test_no_horizontal_scrolling(full):
    panel = full.widget("scanSection").parentWidget()
    area = panel.parentWidget()
    assert panel.width() <= area.width()
    assert panel.minimumSizeHint().width() <= 330


def test_no_text_is_cut(full):
    for label in shown(full, QtWidgets.QLabel):
        if label.wordWrap():
            assert label.heightForWidth(label.width()) <= label.height() + 1, label.objectName()
        else:
            assert label.sizeHint().width() <= label.width(), label.objectName()
    for button in shown(full, QtWidgets.QPushButton):
        if button.objectName() != "reportFolderButton":
            assert button.sizeHint().width() <= button.width(), button.objectName()
    for box in shown(full, QtWidgets.QCheckBox):
        assert box.sizeHint().width() <= box.width(), box.objectName()


@pytest.mark.parametrize("name", ["lesionsTable", "roisTable"])
def test_tables_show_all_columns(full, name):
    table = full.widget(name)
    for row in range(table.rowCount()):
        for column in range(table.columnCount() - (name == "roisTable")):  # remarks stand in full below it
            rectangle = table.visualItemRect(table.item(row, column))
            assert table.viewport().rect().contains(rectangle), (row, column)
            assert table.sizeHintForColumn(column) <= rectangle.width() + 1


def test_widgets_do_not_overlap(full):
    for name in ("panelLayout", "resultsBodyLayout", "fattyLayout", "fattyBodyLayout", "scanLayout"):
        panel = full.widget("scanSection").parentWidget()
        layout = panel.findChild(QtWidgets.QLayout, name)
        items = [layout.itemAt(index) for index in range(layout.count())]
        rectangles = [item.geometry() for item in items if item.widget() and item.widget().isVisible()]
        for above, below in zip(rectangles, rectangles[1:]):
            assert above.bottom() < below.top(), name


def test_every_control_has_a_tooltip(full):
    for kind in CONTROLS:
        for widget in shown(full, kind):
            isSection = widget.objectName().endswith("Section")
            isInner = not full.panel.ui.__dict__.get(widget.objectName())
            assert isSection or isInner or widget.toolTip(), widget.objectName()


def test_notes_keep_the_colours_of_the_theme(full):
    for theme in ("light", "dark"):
        full.host.setTheme(theme)
        full.settle(0.05)
        label = full.widget("messageLabel")
        colour = label.palette().color(QtGui.QPalette.WindowText)
        background = label.palette().color(QtGui.QPalette.Window)
        assert abs(colour.lightness() - background.lightness()) > 120, theme
    full.host.setTheme("light")
