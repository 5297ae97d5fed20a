"""Training of networks: recipes (``recipe``), data sets (``data``), augmentation, losses, the trainer on
Lightning (``fit``, ``module``, ``callbacks``), validation with the product's inference, export of a model.

The bundled models are recipes too; their data are a compact pack (``pack``, ``patches``, ``augment``).
"""
