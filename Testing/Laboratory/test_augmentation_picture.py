"""The picture of patches before and after augmentation."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from made_samples import STRUCTURES, build, options, sample

from LiverSegLib.errors import OutputError, UsageError
from LiverSegLib.training.augmentation.geometry import cut_middle
from LiverSegLib.training.augmentation.picture import WithOriginal, show_augmentation


class Shown:
    """Three samples of the bundled scan, with their originals; blocks stand for labels."""

    def __init__(self, vary, size):
        path = Path(__file__).resolve().parents[2] / "Resources" / "SampleData" / "hcc013-portal.nii.gz"
        hu = torch.from_numpy(sitk.GetArrayFromImage(sitk.ReadImage(str(path))).astype(np.float32))
        room = [int(n) - m for n, m in zip(hu.shape[3 - len(size) :], size)]
        assert min(room) >= 0
        hu = hu[hu.shape[0] // 2] if len(size) == 2 else hu
        self.image = cut_middle(((hu.clamp(-160, 240) - 40) / 200)[None], size)
        self.vary = vary

    def __len__(self):
        return 3

    def __getitem__(self, index):
        made = {**sample(self.image.shape[1:]), "image": self.image, "id": f"case {index}"}
        return self.vary(made, np.random.default_rng(index))


@pytest.mark.parametrize("patch", ((64, 80), (8, 48, 64)), ids=("2D", "3D"))
def test_a_picture_shows_patches_before_and_after(patch, tmp_path):
    from matplotlib.image import imread

    vary = WithOriginal(build(patch, options(flip_left_right=1.0)))
    shown = Shown(vary, vary.enlarged(patch))
    first = shown[0]
    assert torch.equal(first["original_image"].flip(len(patch)), first["image"])
    path = show_augmentation(shown, tmp_path / "new" / "samples.png", 5, structures=STRUCTURES)
    picture = imread(path)[..., :3]
    assert picture.shape[1] > 3 * 300 and picture.max() > 0.9
    liver = np.array([221, 130, 101]) / 255
    assert (np.abs(picture - liver).max(2) < 0.02).sum() > 500  # outlines in the label's color
    assert [each.name for each in path.parent.iterdir()] == ["samples.png"]


def test_a_picture_that_cannot_be_written_says_so(tmp_path):
    vary = WithOriginal(build((16, 16), options()))
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        show_augmentation(Shown(vary, (16, 16)), tmp_path / "file" / "a.png", 1, structures=STRUCTURES)
    with pytest.raises(UsageError):
        show_augmentation(Shown(vary, (16, 16)), tmp_path / "a.png", 0, structures=STRUCTURES)
