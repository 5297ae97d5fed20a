"""Lesions painted into livers for training."""

import numpy as np
import pytest
import torch

from LiverSegLib.labels import LIVER, SPLEEN, TUMOUR
from LiverSegLib.training import lesions
from LiverSegLib.training.lesions import paint_lesions

SPACING = 1.5
LIVER_HU, OTHER_HU = 110.0, 40.0


def patch(seed=0):
    """A block of liver with a spleen and a real tumour in it, in noise: (hu, label), (z, y, x)."""
    label = torch.zeros(48, 64, 80, dtype=torch.uint8)
    label[4:44, 6:58, 10:60] = LIVER
    label[4:44, 6:58, 62:76] = SPLEEN
    label[10:14, 10:14, 14:18] = TUMOUR
    hu = torch.where(label == 0, OTHER_HU, LIVER_HU)
    return hu + 5 * torch.randn(label.shape, generator=torch.Generator().manual_seed(seed)), label


@pytest.mark.parametrize("seed", range(8))
def test_lesions_lie_in_the_liver_and_the_rest_stays(seed):
    hu, label = patch()
    before, labelled = hu.clone(), label.clone()
    count = paint_lesions(hu, label, SPACING, np.random.default_rng(seed))
    new = (label == TUMOUR) & (labelled != TUMOUR)
    assert bool(new.any()) == (count > 0)
    assert bool((labelled[new] == LIVER).all())
    assert torch.equal(label[~new], labelled[~new])
    assert torch.equal(hu[labelled != LIVER], before[labelled != LIVER])
    assert bool(torch.isfinite(hu).all())


def test_lesions_differ_from_the_liver_as_much_as_promised(monkeypatch):
    monkeypatch.setattr(lesions, "RIM_SHARE", 0.0)
    monkeypatch.setattr(lesions, "NECROSIS_SHARE", 0.0)
    differences, radii = [], []
    for seed in range(60):
        hu, label = patch()
        label[label == TUMOUR] = LIVER
        if paint_lesions(hu, label, SPACING, np.random.default_rng(seed)) == 1:
            inside = label == TUMOUR
            differences.append(float(hu[inside].mean()) - LIVER_HU)
            radii.append((int(inside.sum()) * SPACING**3 * 3 / (4 * np.pi)) ** (1 / 3))
    darker = [value for value in differences if value < 0]
    # soft edges and texture take from, or add to, what is drawn from DARKER_HU
    assert -lesions.DARKER_HU[1] - 20 < min(darker) < -40
    assert 0.7 < len(darker) / len(differences) < 0.97
    assert min(radii) < 6 and max(radii) > 15


def test_the_same_seed_paints_the_same():
    (first, first_label), (second, second_label) = patch(), patch()
    for hu, label in ((first, first_label), (second, second_label)):
        paint_lesions(hu, label, SPACING, np.random.default_rng(3))
    assert torch.equal(first, second) and torch.equal(first_label, second_label)


def test_without_a_liver_nothing_is_painted():
    hu, label = patch()
    label[label == LIVER] = 0
    before = hu.clone()
    assert paint_lesions(hu, label, SPACING, np.random.default_rng(0)) == 0
    assert torch.equal(hu, before)


def test_a_crumb_of_liver_gets_no_lesion_too_small_to_learn():
    hu, label = patch()
    label[:] = 0
    label[20, 20, 20:24] = LIVER
    assert paint_lesions(hu, label, SPACING, np.random.default_rng(0)) == 0
    assert not bool((label == TUMOUR).any())
