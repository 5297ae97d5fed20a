"""The documents for Slicer's users claim only what is there: buttons, methods, pictures, links."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "docs" / "slicer.md", ROOT / "docs" / "slicer-tutorial.md"]

OF_SLICER = {
    "Additional module paths", "About 3D Slicer", "Application Settings", "Download Sample Data", "Edit",
    "Error Log", "Extensions Manager", "File", "Help", "Install", "Install Extensions", "Modules",
    "Sample Data", "Save Data", "Save Scene", "Segment Editor", "Segmentation", "View", "LiverSeg", "name",
}  # fmt: skip
"""What the documents set in italics that is Slicer's own, not the module's."""


def shown_by_the_module():
    """All texts that the module shows."""
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "LiverSeg").rglob("*.py")]
    texts.append((ROOT / "Resources" / "UI" / "LiverSeg.ui").read_text(encoding="utf-8"))
    core = [
        ROOT / "LiverSegLib" / "progress.py",
        ROOT / "LiverSegLib" / "labels.py",
        *(ROOT / "LiverSegLib").glob("*_texts.py"),
    ]
    return "\n".join([*texts, *(path.read_text(encoding="utf-8") for path in core)])


@pytest.mark.parametrize("path", DOCUMENTS[1:], ids=lambda path: path.name)
def test_what_the_documents_call_by_name_is_in_the_panel(path):
    text = re.sub(r"```.*?```|`[^`]*`|\*\*", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    named = {" ".join(name.split()) for name in re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", text)} - OF_SLICER
    shown = shown_by_the_module()
    assert named
    missing = [name for name in named if any(part.strip() not in shown for part in name.split("…") if part)]
    assert missing == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_and_pictures_lead_somewhere(path):
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)(?:#[\w-]+)?\)", text):
        if "://" not in target:
            assert (path.parent / target).exists(), target
    headings = {
        re.sub(r"[^\w -]", "", h).strip().lower().replace(" ", "-")
        for h in re.findall(r"^#+ (.*)", text, re.M)
    }
    for anchor in re.findall(r"\]\(#([\w-]+)\)", text):
        assert anchor in headings, anchor


def test_methods_of_the_logic_are_those_documented():
    """The table in docs/slicer.md against Logic and its parts, SegmentOptions and GivenOptions."""
    folder = ROOT / "LiverSeg" / "LiverSegSlicer"
    methods, options = {}, {}
    classes = ("Logic", "SetupLogic", "MeasuresGiven", "SegmentOptions", "GivenOptions")
    for name in ("logic.py", "logic_setup.py", "given.py", "jobs.py"):
        for node in ast.walk(ast.parse((folder / name).read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and node.name in classes:
                for part in node.body:
                    if isinstance(part, ast.FunctionDef):
                        methods[part.name] = {a.arg for a in (*part.args.args, *part.args.kwonlyargs)}
                    elif isinstance(part, ast.AnnAssign) and part.value is not None:
                        options.setdefault(part.target.id, set()).add(ast.unparse(part.value))
    text = (ROOT / "docs" / "slicer.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\|[^|]*\|", text, re.M)
    calls = [call for row in documented for call in re.findall(r"`(\w+)\(([^)`]*)\)`", row)]
    assert len(calls) >= 9
    for name, arguments in calls:
        assert name in methods, name
        for argument in re.findall(r"\w+", re.sub(r"=\w+|\*\*\w+|\.\.\.", "", arguments)):
            assert argument in methods[name], f"{name}({argument})"
    for option, value in re.findall(r"`(\w+)=([^`]+)`", text):
        assert {ast.literal_eval(text) for text in options[option]} == {ast.literal_eval(value)}, option
