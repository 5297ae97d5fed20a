"""Results with further structures in the panel, and the engine that a run was computed with."""

import dataclasses

import pytest
from panel_doubles import madeUpResult
from test_panel_models import hundred, models, section  # noqa: F401 (fixtures)

pytest_plugins = ["panel_fixtures"]


def rowOf(value, name, voxels=100, **facts):
    """A row of a summary's structures."""
    row = {"value": value, "key": name.lower().replace(" ", "_"), "name": name, "colour": [value, 90, 200]}
    volume = {
        "label": 0,
        "voxels": voxels,
        "volume_ml": voxels / 4,
        "liver_percent": None,
        "truncated": False,
    }
    return {**row, **volume, "truncated": False, **facts}


def applied(hand, scan, rows, provenance=None):
    """A result with these structures, shown."""
    from LiverSegSlicer.scene.results import applyResult

    made = madeUpResult(scan)
    structures = made.labels * 0
    for index, row in enumerate(rows):
        if row["voxels"]:
            structures[1, 1 + index // 40, 1 + index % 40] = row["value"]
    summary = {**made.summary, "structures": rows, "provenance": provenance or {}}
    node = applyResult(scan, dataclasses.replace(made, summary=summary, structures=structures))
    hand.panel.parameters.segmentation = node
    hand.panel._draw()
    hand.settle()
    return node


def test_what_was_found_is_listed_with_volume_and_share(hand, scan):
    rows = [
        rowOf(1, "Liver segment 4", liver_percent=12.5, label=1),
        rowOf(2, "Aorta", truncated=True),
        rowOf(3, "Colon", voxels=0),
    ]
    applied(hand, scan, rows)
    table = hand.widget("foundTable")
    assert hand.seen("foundTable") and table.rowCount() == 2
    cells = [[table.item(row, column).text() for column in range(3)] for row in range(2)]
    assert cells == [["Liver segment 4", "25.0", "12.5"], ["Aorta", "25.0", ""]]
    assert "border of the scan" in table.item(1, 1).toolTip()
    hand.click("copyNumbersButton")
    import slicer

    assert "Aorta\t25.00" in slicer.app.clipboard().text()


def test_without_structures_there_is_no_list(hand, scan):
    applied(hand, scan, [])
    assert not hand.seen("foundTable")


def test_a_hundred_keep_the_results_small(hand, scan):
    applied(hand, scan, [rowOf(value, f"Thing {value}") for value in range(1, 101)])
    assert hand.widget("foundTable").rowCount() == 100
    assert hand.widget("foundTable").height() < 200
    assert hand.widget("segmentsTable").height() < 300


@pytest.mark.parametrize(
    "engine, words",
    [
        ({"name": "openvino", "version": "2025.4.1-20426-82bbf0292c5-releases/2025/4"}, " (OpenVINO 2025.4)"),
        ({"name": "torch", "version": "2.8.0+cpu"}, " (PyTorch 2.8)"),
        ({"name": "something", "version": "1"}, ""),
        (None, ""),
    ],
)
def test_the_message_names_the_engine(hand, scan, engine, words):
    from LiverSegSlicer.panel.run_bar import _engineText

    provenance = {} if engine is None else {"engine": engine}
    assert _engineText(applied(hand, scan, [], provenance)) == words


def test_a_run_with_a_hundred_structures_goes_through_the_panel(section):  # noqa: F811
    section.panel.parameters.structures = ",".join(item.key for item in hundred())
    section.click("segmentButton")
    assert len(section.logic.options[-1]["structures"]) == 100
