"""What the networks are trained to make small: ``build.build_loss`` makes the loss of a recipe.

``partial`` is the loss of the bundled models, which needs nothing but PyTorch.
"""
