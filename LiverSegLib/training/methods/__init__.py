"""Ways to train beside the plain one: ``options`` has their sections of a recipe, ``registry`` their names.

A file that makes a module imports ``training.module``, which imports the recipe, which imports ``options``:
so ``options`` imports none of the others.
"""
