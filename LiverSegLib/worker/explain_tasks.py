"""What the worker does to explain a lesion."""

import numpy as np
import SimpleITK as sitk

from ..cancelling import while_checking
from ..errors import UsageError
from ..images.grid import Grid
from ..sentences import Sentence, with_identity
from . import scratch
from .context import TaskContext, result_folder
from .explain_messages import Explain, Explained
from .handed import read_box, read_image, read_mask

HEAT = "heat.npy"
"""The file of a result that holds the map."""


def explain(request: Explain, context: TaskContext) -> Explained:
    """Explain why a model drew a lesion."""
    from ..explain import at_lesion
    from ..explain import explain as explained

    context.report_progress(0.0, "read", "Reading the scan")
    image = while_checking(lambda ask: read_image(request.voxels, request.grid), context.check)
    box = read_box(request.box, request.grid.shape)
    shape = tuple(part.stop - part.start for part in box)
    mask = np.array(read_mask(request.labels, shape, "handed.segmentation-unreadable"))
    if len(request.centre) != 3:
        raise UsageError(Sentence("correct.not-a-point", value=str(request.centre)))
    x, y, z = request.centre
    target = at_lesion(mask, request.grid.checked().crop(box), (x, y, z), request.lesion)
    labels = np.zeros(request.grid.shape, np.uint8)  # for models that see an organ's surroundings alone
    labels[box] = mask
    found = explained(
        image,
        target,
        model=request.model,
        modality=request.modality,
        device=request.device,
        labels=labels,
        guided=False,
        progress=context.progress,
        cancel=context.cancel,
    )
    with result_folder(context, request.id) as folder:
        scratch.save_array(folder / HEAT, sitk.GetArrayViewFromImage(found.grad_cam))
        guide = with_identity(found.guide)
        return Explained(request.id, str(folder), HEAT, Grid.of(found.grad_cam), guide)
