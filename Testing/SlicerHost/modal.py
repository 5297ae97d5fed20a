"""Dialogs that wait for the user: tests say beforehand what she will answer; a dialog nobody expected is a
problem.
"""

from typing import Any, Callable, List, NamedTuple, Optional

from PySide6 import QtWidgets

from .recorder import recorder
from .registry import replace_function


class Expectation(NamedTuple):
    """`text` is part of what the dialog says (title, text, caption); `answer` is what comes back from it."""

    text: str
    answer: Any


class Answers:
    """What the user is going to answer, in any order, and what she was asked."""

    def __init__(self) -> None:
        self.expected: List[Expectation] = []
        self.asked: List[str] = []

    def expect(self, text: str, answer: Any) -> None:
        """The next dialog that contains `text` is answered: a button (qt.QMessageBox.Yes), a path for file
        dialogs ("" cancels), a text for input dialogs, the text of an action for menus, or a function of
        the dialog that returns what `exec_` shall return.
        """
        self.expected.append(Expectation(text, answer))

    def take_unasked(self) -> List[str]:
        """Texts of expectations that no dialog met; forgets them and what was asked."""
        left = [expectation.text for expectation in self.expected]
        self.expected, self.asked = [], []
        return left

    def answer(self, said: str, cancelled: Any) -> Any:
        """The answer to a dialog that says this; `cancelled` and a problem noted where none was expected."""
        self.asked.append(said)
        for expectation in self.expected:
            if expectation.text in said:
                self.expected.remove(expectation)
                return expectation.answer
        recorder.violation(f"a dialog opened that the test did not expect: {said!r}")
        return cancelled


answers = Answers()
"""The user of this session."""


def _exec_message_box(box: QtWidgets.QMessageBox) -> int:
    said = "\n".join(part for part in (box.windowTitle(), box.text(), box.informativeText()) if part)
    answer = answers.answer(said, QtWidgets.QMessageBox.StandardButton.Cancel.value)
    number = int(_answer_of(answer, box))
    button = box.button(QtWidgets.QMessageBox.StandardButton(number))
    if button is not None:
        button.click()
    box.done(number)
    return number


def _exec_dialog(dialog: QtWidgets.QDialog) -> int:
    labels = [label.text() for label in dialog.findChildren(QtWidgets.QLabel)]
    number = int(_answer_of(answers.answer("\n".join([dialog.windowTitle(), *labels]), 0), dialog))
    dialog.done(number)
    return number


def _exec_menu(menu: QtWidgets.QMenu) -> Any:
    texts = [action.text() for action in menu.actions()]
    chosen = _answer_of(answers.answer("\n".join(texts), None), menu)
    for action in menu.actions():
        if action.text() == chosen:
            action.trigger()
            return action
    return None


def _answer_of(answer: Any, dialog: Any) -> Any:
    from .pythonqt import wrap

    return answer(wrap(dialog)) if callable(answer) else answer


def method(target: Any, name: str) -> Optional[Callable]:
    """What stands for `exec` of a dialog or menu; None for every other method."""
    if name != "exec":
        return None
    for kind, function in (
        (QtWidgets.QMessageBox, _exec_message_box),
        (QtWidgets.QDialog, _exec_dialog),
        (QtWidgets.QMenu, _exec_menu),
    ):
        if isinstance(target, kind):
            return lambda *arguments: function(target)
    return None


def _asks_for_a_path(parent: Any = None, caption: str = "", *rest: Any) -> str:
    return answers.answer(caption, "")


def _asks_for_paths(parent: Any = None, caption: str = "", *rest: Any) -> tuple:
    return tuple(answers.answer(caption, ()))


def _asks_for_a_button(parent: Any, title: str, text: str, *rest: Any) -> int:
    return int(answers.answer(f"{title}\n{text}", QtWidgets.QMessageBox.StandardButton.Cancel.value))


def _asks_for_a_value(parent: Any, title: str, label: str, *rest: Any) -> Any:
    return answers.answer(f"{title}\n{label}", "")


# PythonQt returns the path alone, where PySide6 returns path and filter.
for _title, _name, _function in (
    ("QFileDialog", "getExistingDirectory", _asks_for_a_path),
    ("QFileDialog", "getOpenFileName", _asks_for_a_path),
    ("QFileDialog", "getSaveFileName", _asks_for_a_path),
    ("QFileDialog", "getOpenFileNames", _asks_for_paths),
    ("QMessageBox", "question", _asks_for_a_button),
    ("QMessageBox", "information", _asks_for_a_button),
    ("QMessageBox", "warning", _asks_for_a_button),
    ("QMessageBox", "critical", _asks_for_a_button),
    ("QInputDialog", "getText", _asks_for_a_value),
    ("QInputDialog", "getInt", _asks_for_a_value),
    ("QInputDialog", "getDouble", _asks_for_a_value),
    ("QInputDialog", "getItem", _asks_for_a_value),
):
    replace_function(_title, _name, _function)
