"""Models in Advanced: who draws organs and tumors, what else is wanted, adding, removing, licences; a model
with a hundred classes.
"""

import dataclasses

import pytest
from PySide6 import QtCore, QtWidgets
from PySide6.QtTest import QTest

pytest_plugins = ["panel_fixtures"]

OK, CANCEL = 0x00000400, 0x00400000


def modelFacts(name, **facts):
    """A model on this computer."""
    from LiverSegSlicer.work.models import ModelFacts

    usual = ModelFacts(
        name=name,
        version="1.0",
        description=f"What {name} is.",
        licence="CC BY 4.0",
        citation="Somebody (2024).",
        limitations="Not measured.",
        isBundled=False,
        sizeMb=120.0,
        sha256=f"{name}-hash",
        accuracy="",
        organs=("Liver",),
        hasLiver=True,
        hasTumors=False,
        structures=(),
        problem="",
    )
    return dataclasses.replace(usual, **facts)


def hundred():
    """A hundred structures, two of the liver among them."""
    from LiverSegSlicer.work.models import ModelStructure

    own = [
        ModelStructure("liver_vessels", "Liver vessels", True),
        ModelStructure("portal_vein", "Portal vein", True),
    ]
    return (*own, *(ModelStructure(f"bone_{number}", f"Bone {number}", False) for number in range(98)))


@pytest.fixture
def models(monkeypatch, host):
    """The models on this computer, for the test to change."""
    found = [
        modelFacts(
            "default", isBundled=True, hasTumors=True, accuracy="Dice on test: liver 0.97.", sizeMb=8.0
        ),
        modelFacts("total", structures=hundred()),
        modelFacts("lesions", hasLiver=False, hasTumors=True),
        modelFacts("broken", problem="Its weights are damaged.", sha256=""),
    ]
    for room in ("panel.models_section", "jobs"):
        monkeypatch.setattr(f"LiverSegSlicer.{room}.allModels", lambda: tuple(found))
    return found


@pytest.fixture
def section(hand, scan, models):
    """The section Advanced, open."""
    hand.open("advancedSection")
    hand.settle()
    return hand


def texts(hand, name):
    box = hand.widget(name)
    return [box.itemText(index) for index in range(box.count())]


def choose(hand, name, text):
    """Choose an item of a box with the keyboard."""
    box = hand.widget(name)
    box.setFocus()
    wanted = box.findText(text)
    assert wanted >= 0, text
    while box.currentIndex() != wanted:
        QTest.keyClick(box, QtCore.Qt.Key_Down if box.currentIndex() < wanted else QtCore.Qt.Key_Up)
    hand.settle(0.05)


def rows(hand, name="structuresTable"):
    """Text of each row that is shown -> whether it is ticked."""
    table = hand.widget(name)
    shown = [table.item(row, 0) for row in range(table.rowCount()) if not table.isRowHidden(row)]
    return {item.text(): item.checkState() == QtCore.Qt.Checked for item in shown}


def tick(hand, text):
    """Click on the tick of a row."""
    table = hand.widget("structuresTable")
    (item,) = table.findItems(text, QtCore.Qt.MatchExactly)
    item.setCheckState(QtCore.Qt.Unchecked if item.checkState() == QtCore.Qt.Checked else QtCore.Qt.Checked)
    hand.settle()


class TestChoosing:
    def test_each_box_offers_the_models_that_can(self, section):
        assert texts(section, "modelSelector") == ["default 1.0", "total 1.0"]
        assert texts(section, "tumorModelSelector") == ["From the same model", "lesions 1.0"]

    def test_the_run_gets_both_and_the_usual_structures(self, section, monkeypatch):
        choose(section, "modelSelector", "total 1.0")
        choose(section, "tumorModelSelector", "lesions 1.0")
        section.host.answers.expect("total 1.0", OK)
        section.host.answers.expect("lesions 1.0", OK)
        section.click("segmentButton")
        options = section.logic.options[-1]
        assert (options["model"], options["tumors"], options["structures"]) == ("total", "lesions", None)

    def test_a_scene_names_a_model_that_is_not_here(self, section):
        section.panel.parameters.model = "elsewhere"
        section.settle()
        assert section.widget("modelSelector").currentText() == "elsewhere (not on this computer)"

    def test_the_bundled_model_has_nothing_to_tick(self, section):
        assert not section.seen("structuresWidget")


class TestStructures:
    @pytest.fixture(autouse=True)
    def total(self, section):
        choose(section, "modelSelector", "total 1.0")

    def test_only_those_of_the_liver_are_ticked(self, section):
        found = rows(section)
        assert len(found) == 100
        assert [name for name, on in found.items() if on] == ["Liver vessels", "Portal vein"]
        header = section.widget("structuresTable").horizontalHeaderItem(0).text()
        assert header == "Also segment (2 of 100)"

    def test_ticks_are_kept_in_the_scene_and_go_to_the_run(self, section):
        from LiverSegSlicer.parameters import segmentOptions

        tick(section, "Bone 7")
        tick(section, "Portal vein")
        assert section.panel.parameters.structures == "liver_vessels,bone_7"
        assert segmentOptions(section.panel.parameters)["structures"] == ("liver_vessels", "bone_7")
        tick(section, "Portal vein")
        tick(section, "Bone 7")
        assert section.panel.parameters.structures == "usual"

    def test_none_is_a_choice_too(self, section):
        from LiverSegSlicer.parameters import segmentOptions

        tick(section, "Liver vessels")
        tick(section, "Portal vein")
        assert segmentOptions(section.panel.parameters)["structures"] == ()
        section.click("structuresUsualButton")
        assert section.panel.parameters.structures == "usual"
        assert [name for name, on in rows(section).items() if on] == ["Liver vessels", "Portal vein"]

    def test_searching_hides_rows_and_keeps_ticks(self, section):
        QTest.keyClicks(section.widget("structuresSearchEdit"), "bone 1")
        assert set(rows(section)) == {"Bone 1", *(f"Bone 1{digit}" for digit in range(10))}
        tick(section, "Bone 12")
        section.widget("structuresSearchEdit").clear()
        section.settle()
        assert [name for name, on in rows(section).items() if on] == [
            "Liver vessels",
            "Portal vein",
            "Bone 12",
        ]

    def test_a_hundred_classes_keep_the_panel_small(self, section, screenshot):
        table = section.widget("structuresTable")
        assert table.height() < 250
        area = section.widget("modelSelector").window()
        assert area.findChild(QtWidgets.QWidget, "LiverSeg").width() <= 360
        screenshot("models", area)


class TestLicence:
    def test_it_is_shown_once_before_the_first_use(self, section):
        choose(section, "modelSelector", "total 1.0")
        section.host.answers.expect("License: CC BY 4.0", CANCEL)
        section.click("segmentButton")
        assert not section.logic.runs  # nothing runs without a yes
        section.host.answers.expect("License: CC BY 4.0", OK)
        section.click("segmentButton")
        section.logic.run.finish()
        section.settle()
        section.click("segmentButton")  # asked no more
        assert len(section.logic.runs) == 2

    def test_another_version_asks_again(self, section, models):
        choose(section, "modelSelector", "total 1.0")
        section.host.answers.expect("License", OK)
        section.click("segmentButton")
        section.logic.run.finish()
        models[1] = dataclasses.replace(models[1], sha256="another")
        section.panel.enter()
        section.settle()
        section.host.answers.expect("License", CANCEL)
        section.click("segmentButton")
        assert len(section.logic.runs) == 1

    def test_the_bundled_model_asks_nothing(self, section):
        section.click("segmentButton")
        assert len(section.logic.runs) == 1


class TestList:
    def test_a_row_tells_what_licence_and_accuracy(self, section):
        table = section.widget("modelsTable")
        assert [table.item(row, 0).text() for row in range(4)] == [
            "default 1.0", "total 1.0", "lesions 1.0", "broken 1.0",
        ]  # fmt: skip
        assert "and 95 more" in table.item(1, 1).text() and table.item(1, 2).text() == "120"
        section.clickRow("modelsTable", 0)
        assert "License: CC BY 4.0." in section.text("modelDetailLabel")
        assert "Dice on test: liver 0.97." in section.text("modelDetailLabel")
        section.clickRow("modelsTable", 1)
        assert "was not measured" in section.text("modelDetailLabel")
        section.clickRow("modelsTable", 3)
        assert section.text("modelDetailLabel") == "Its weights are damaged."

    @pytest.mark.parametrize(
        "button, dialog", [("modelsFileButton", "/a/model.zip"), ("modelsAddFolderButton", "/a/model")]
    )
    def test_adding(self, section, models, button, dialog):
        section.host.answers.expect("Add a model", dialog)
        section.click(button)
        models.append(modelFacts("theirs"))
        section.logic.run.finish()
        section.settle()
        assert section.logic.models == [("add", dialog)]
        assert "The model theirs was added" in section.text("messageLabel")
        assert "theirs 1.0" in texts(section, "modelSelector")

    def test_no_file_no_run(self, section):
        section.host.answers.expect("Add a model", "")
        section.click("modelsFileButton")
        assert not section.logic.runs

    def test_removing_asks(self, section, models):
        section.panel.parameters.model = "total"
        section.settle()
        section.clickRow("modelsTable", 1)
        section.host.answers.expect("Delete the model total (120 MB)", CANCEL)
        section.click("modelsRemoveButton")
        assert not section.logic.runs
        section.host.answers.expect("Delete the model total (120 MB)", OK)
        section.click("modelsRemoveButton")
        del models[1]
        section.logic.run.finish()
        section.settle()
        assert section.logic.models == [("remove", "total")]
        assert section.panel.parameters.model == "default"
        assert section.widget("modelsTable").rowCount() == 3

    def test_what_cannot_be_removed_says_why(self, section):
        assert not section.enabled("modelsRemoveButton")
        assert section.tip("modelsRemoveButton") == "Choose a model in the table first."
        section.clickRow("modelsTable", 0)
        assert not section.enabled("modelsRemoveButton")
        assert section.tip("modelsRemoveButton") == "This model came with LiverSeg and stays."

    def test_not_during_a_run(self, section):
        section.clickRow("modelsTable", 1)
        section.click("segmentButton")
        for button in ("modelsFileButton", "modelsAddFolderButton", "modelsRemoveButton"):
            assert not section.enabled(button) and "running" in section.tip(button)


def test_the_bundled_model_is_described(host):
    from LiverSegSlicer.work.models import allModels, usualStructures

    model = next(model for model in allModels() if model.isBundled)
    assert (model.hasLiver, model.hasTumors, model.structures, model.problem) == (True, True, (), "")
    assert model.licence and model.sha256 and 1 < model.sizeMb < 50
    assert model.accuracy.startswith(
        "Mean Dice on LiverSeg val cases (8): liver 0.96, spleen 0.97, liver tumor 0."
    )
    assert model.segments() == "Liver, Spleen, Liver tumor"
    assert usualStructures(model.name, (model,)) == ()
