"""Made-up patients with lesions of known size and place, for the tests of the follow-up."""

import numpy as np

from LiverSegLib.followup import visit_of
from LiverSegLib.followup.carrying import carried
from LiverSegLib.followup.courses import courses
from LiverSegLib.followup.deformation import Deformation
from LiverSegLib.images.grid import NOT_SHEARED, Grid
from LiverSegLib.labels import LIVER, TUMOUR
from LiverSegLib.measure.facts import ClinicalFacts, PhaseEstimate

RADII = np.array([55.0, 45.0, 40.0])
"""Of the made-up liver, mm; no ellipsoid, so that it has one way only to lie on itself."""


def grid(spacing=(2.0, 2.0, 2.5), direction=NOT_SHEARED, reach=(64.0, 54.0, 50.0)):
    matrix = np.reshape(direction, (3, 3))
    along = np.abs(matrix.T) @ np.array(reach)
    size = tuple(int(np.ceil(2 * mm / step)) for mm, step in zip(along, spacing))
    origin = -(matrix * spacing) @ ((np.array(size) - 1) / 2)
    return Grid(size, spacing, tuple(origin.tolist()), tuple(np.ravel(direction).tolist()))


def patient(lesions, where=None, move=lambda points: points, name="scan", date=None, phase=None, shape=RADII):
    """A visit: a liver with vessels and round lesions (center, radius) on a grid.

    ``move`` goes from this scan's places to those in which liver and lesions are described.
    """
    where = where or grid()
    axes = [np.arange(count) for count in where.shape]
    indices = np.stack(np.meshgrid(*axes, indexing="ij"), -1)[..., ::-1].reshape(-1, 3)
    points = move(where.points(indices))
    body = points / shape
    liver = ((body**2).sum(1) < 1) & ~((points[:, 0] > 10) & (points[:, 2] < -12))
    vessels = np.sin(points[:, 0] / 6) * np.sin(points[:, 1] / 7) * np.sin(points[:, 2] / 8)
    hu = np.where(liver, 100 + 25 * (vessels > 0.3), -90.0)
    labels = np.where(liver, LIVER, 0).astype(np.uint8)
    for centre, radius in lesions:
        inside = ((points - centre) ** 2).sum(1) < radius**2
        labels[inside], hu[inside] = TUMOUR, 60
    noise = np.random.default_rng(1).normal(0, 4, len(hu))
    facts = ClinicalFacts(None if phase is None else PhaseEstimate(phase, 1.0, "said"))
    return visit_of(
        where.image((hu + noise).reshape(where.shape).astype(np.int16)),
        where.image(labels.reshape(where.shape)),
        name=name,
        date=date,
        facts=facts,
    )


def matched(*visits):
    """The courses of visits whose livers lie on each other already."""
    common = grid().axis_aligned(1.5, most=512)
    deformations = [Deformation.none(grid().axis_aligned(5.0, most=512))] * len(visits)
    lesions = [carried(i, v, d, common) for i, (v, d) in enumerate(zip(visits, deformations))]
    return courses(visits, lesions, deformations)
