"""The schema of recipes: what is refused, in which words; and that a recipe is written as it is read."""

import pytest
from made_up import content

from LiverSegLib.errors import InputError, LiverSegError
from LiverSegLib.training.recipe import check_recipe, dump_recipe, overridden, read_recipe, ready_recipes


def write(path, values):
    import yaml

    path.write_text(yaml.safe_dump(values))
    return path


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"training": {"stpes": 3}}, 'section training has no key "stpes". Did you mean "steps"?'),
        ({"trianing": {}}, 'The recipe has no key "trianing". Did you mean "training"?'),
        ({"training": {"qqq": 3}}, "It has: steps, batch, accumulate"),
        ({"training": {"optimizer": "adagrad"}}, "training.optimizer cannot be 'adagrad'.*sgd.*adamw"),
        ({"training": {"steps": 0}}, "training.steps cannot be 0.*greater than or equal to 1"),
        ({"training": {"learning_rate": "fast"}}, "training.learning_rate cannot be 'fast'"),
        ({"activation": "relu"}, "activation cannot be 'relu'"),
        ({"structures": ["liver", "liver"]}, "names one of them twice"),
        ({"network": {"name": "X", "arguments": {"out_channels": 3}}}, "follows from the structures"),
        ({"network": {"name": "X", "arguments": {"dimensions": 2}}}, "unlike network.arguments.dimensions"),
        ({"loss": "0.3 cee + 0.7 dice"}, 'no loss "cee"'),
        ({"pack": {"version": "fine", "spacing": 2}}, 'belongs to the layout "pack"'),
        ({"validation": {"largest_component": ["lung"]}}, "names lung, which is no structure"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path, changes, words):
    with pytest.raises(LiverSegError, match=words.replace("(", r"\(")) as raised:
        check_recipe(content(tmp_path, **changes))
    assert "\n" not in str(raised.value) and str(raised.value).endswith((".", "?"))


def test_what_is_missing_is_named(tmp_path):
    values = content(tmp_path)
    del values["training"]["steps"]
    with pytest.raises(InputError, match="lacks training.steps"):
        check_recipe(values)


def test_changes_are_yaml_and_reach_any_depth(tmp_path):
    values = overridden(
        content(tmp_path),
        ["training.steps=7", "training.learning_rate=1e-4", "patches.size=[8, 8]",
         "loss.include_background=true", "network.arguments.channels=[4, 8]", "data.split.val=0.5"],
    )  # fmt: skip
    recipe = check_recipe(values)
    assert recipe.training.steps == 7 and recipe.training.learning_rate == 1e-4
    assert recipe.patches.size == (8, 8) and recipe.dimensions == 2
    assert recipe.loss.include_background and recipe.loss.mix == "ce + dice"
    assert recipe.network_arguments()["channels"] == [4, 8] and recipe.data.split.val == 0.5
    assert content(tmp_path)["training"]["steps"] == 6, "the values given were changed"


@pytest.mark.parametrize(
    "change", ["training.steps", "=3", "training..steps=3", "seed.x=3", "training.steps=[3"]
)
def test_a_change_that_cannot_be_read_is_refused(tmp_path, change):
    with pytest.raises(InputError):
        overridden(content(tmp_path), [change])


def test_channels_follow_from_the_structures(tmp_path):
    softmax = check_recipe(content(tmp_path))
    sigmoid = check_recipe(content(tmp_path, activation="sigmoid"))
    assert softmax.network_arguments()["out_channels"] == 4
    assert sigmoid.network_arguments()["out_channels"] == 3


def test_a_recipe_is_written_as_it_is_read(tmp_path):
    recipe = check_recipe(content(tmp_path, loss="0.3 ce + 0.7 dice"))
    dump_recipe(recipe, tmp_path / "recipe.yaml")
    assert read_recipe(tmp_path / "recipe.yaml") == recipe
    assert [path.name for path in tmp_path.iterdir()] == ["recipe.yaml"]


@pytest.mark.parametrize(
    ("text", "words"),
    [("a: [1", "not valid YAML at line"), ("[1, 2]", "must be a mapping"), ("", "must be a mapping")],
)
def test_a_file_that_is_no_recipe_is_refused(tmp_path, text, words):
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(InputError, match=words):
        read_recipe(tmp_path / "r.yaml")


def test_a_recipe_that_is_not_there_is_named():
    with pytest.raises(InputError, match='no recipe "bundled-segmnt". Did you mean "bundled-segment"'):
        read_recipe("bundled-segmnt")


@pytest.mark.parametrize("name", sorted(ready_recipes()))
def test_ready_recipes_are_valid(name):
    path = ready_recipes()[name]
    recipe = read_recipe(name)
    assert recipe.name == name and recipe.description
    assert path.read_text(encoding="utf-8").startswith("# "), "a ready recipe says whose it is"


def test_ready_recipes_lie_in_the_package_that_pip_installs_or_beside_it(tmp_path):
    from LiverSegLib.training.recipe import recipes_folder

    package = tmp_path / "LiverSegLib"
    assert recipes_folder(package) == tmp_path / "Resources" / "Recipes"
    inside = package / "Resources" / "Recipes"
    inside.mkdir(parents=True)
    assert recipes_folder(package) == inside
