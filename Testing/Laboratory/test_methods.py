"""The section ``method`` of a recipe."""

import pytest
from made_up import content

from LiverSegLib.errors import InputError
from LiverSegLib.training.methods.options import SupervisedOptions
from LiverSegLib.training.methods.registry import METHODS
from LiverSegLib.training.recipe import check_recipe, dump_recipe, overridden, read_recipe

NEEDED = {
    "distillation": ["method.teacher=default"],
    "keeping": ["method.teacher=default", "data.layout=pack", "pack={version: fine, spacing: 1.5}"],
    "lesions": ["data.layout=pack", "pack={version: fine, spacing: 2.0}"],
    "cyclegan": ["method.generator={name: BlockUNet}"],
}
"""What a method cannot do without."""


def test_a_recipe_without_a_method_is_supervised(tmp_path):
    assert check_recipe(content(tmp_path)).method == SupervisedOptions()
    assert check_recipe(content(tmp_path, method="supervised")).method == SupervisedOptions()
    assert check_recipe(content(tmp_path, method={})).method == SupervisedOptions()


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("supervized", "The recipe's method cannot be 'supervized': it should be 'supervised'"),
        ({"name": "supervised", "weight": 1}, 'section method has no key "weight". It has: name'),
        (3, "The recipe's method cannot be 3"),
    ],
)
def test_what_is_wrong_with_a_method_is_said_with_its_place(tmp_path, method, words):
    with pytest.raises(InputError, match=words):
        check_recipe(content(tmp_path, method=method))


def test_a_method_is_written_as_it_is_read(tmp_path):
    for name in METHODS:
        needed = NEEDED.get(name, [])
        changed = overridden(content(tmp_path, method="supervised"), [f"method.name={name}", *needed])
        recipe = check_recipe(changed)
        dump_recipe(recipe, tmp_path / "recipe.yaml")
        assert read_recipe(tmp_path / "recipe.yaml") == recipe
