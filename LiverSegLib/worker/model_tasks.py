"""What the worker does to the user's models: add one of another program, remove one."""

from .context import TaskContext
from .model_messages import AddModel, ModelAdded, ModelRemoved, RemoveModel


def add(request: AddModel, context: TaskContext) -> ModelAdded:
    """Add a model; it is there whole, or not at all."""
    from ..models.adding import add_model

    context.report_progress(0.1, "read", "Reading the model")
    model = add_model(request.source, name=request.name, configuration=request.configuration)
    return ModelAdded(request.id, model.name)


def remove(request: RemoveModel, context: TaskContext) -> ModelRemoved:
    """Remove a model."""
    from ..models.adding import remove_model

    context.check()
    remove_model(request.name)
    return ModelRemoved(request.id, request.name)
