"""RT structure sets: contours become the voxels whose centres they hold."""

import numpy as np
import pytest

pydicom = pytest.importorskip("pydicom")
from segmentation_files import FRAME, SERIES, place_of, write_structures  # noqa: E402
from test_dicom import write_series  # noqa: E402
from test_segmentations import keys, voxels  # noqa: E402

from LiverSegLib.errors import InputError, UnreadableImageError  # noqa: E402
from LiverSegLib.images import read_scan  # noqa: E402
from LiverSegLib.segmentations import read_mask, read_mask_alone  # noqa: E402
from LiverSegLib.segmentations.contours import inside_polygon  # noqa: E402


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    made = tmp_path_factory.mktemp("ct")
    write_series(made, uid=SERIES, FrameOfReferenceUID=FRAME)
    return read_scan(made)


def box(z, rows, columns):
    """A rectangle around pixels, half a pixel outside their centres; rows and columns (first, last + 1)."""
    (top, bottom), (left, right) = rows, columns
    corners = [(top, left), (top, right), (bottom, right), (bottom, left)]
    return np.array([place_of(z, row - 0.5, column - 0.5) for row, column in corners])


def filled(*boxes):
    """uint8 (12, 32, 40) with 1 in boxes (z, rows, columns)."""
    mask = np.zeros((12, 32, 40), np.uint8)
    for z, rows, columns in boxes:
        mask[z, slice(*rows), slice(*columns)] = 1
    return mask


def test_contours_on_slices(tmp_path, scan):
    places = [(z, (5, 20), (6, 25)) for z in range(2, 8)]
    path = write_structures(tmp_path / "a.dcm", {"Leber": [box(*place) for place in places], "Body": []})
    given = read_mask(path, scan)
    assert np.array_equal(voxels(given), filled(*places))
    assert (given.used, given.left_out, given.warnings) == ((("Leber", "liver"),), ("Body",), ())


def test_structures_by_code_and_a_tumor(tmp_path, scan):
    liver, spot = [(z, (5, 20), (6, 25)) for z in range(2, 8)], (4, (8, 12), (9, 15))
    contours = {"ROI A": [box(*place) for place in liver], "GTV": [box(*spot)]}
    path = write_structures(tmp_path / "a.dcm", contours, codes={"ROI A": ("SCT", "10200004")})
    given = read_mask(path, scan, segments={"GTV": "tumor"})
    assert np.array_equal(voxels(given), filled(*liver) + 2 * filled(spot))


@pytest.mark.parametrize("kind", ["CLOSED_PLANAR", "CLOSEDPLANAR_XOR"])
def test_a_contour_within_another_is_a_hole_and_one_in_it_an_island(tmp_path, scan, kind):
    nested = [(3, (2, 30), (2, 38)), (3, (6, 24), (6, 30)), (3, (10, 18), (12, 20))]
    path = write_structures(tmp_path / "a.dcm", {"liver": [(kind, box(*place)) for place in nested[::-1]]})
    expected = filled(nested[0]) - filled(nested[1]) + filled(nested[2])
    assert np.array_equal(voxels(read_mask(path, scan)), expected)


def test_a_keyhole(tmp_path, scan):
    outer, inner = box(3, (2, 30), (2, 38)), box(3, (6, 24), (6, 30))
    path = np.concatenate([outer, outer[:1], inner, inner[:1]])
    given = read_mask(write_structures(tmp_path / "a.dcm", {"liver": [path]}), scan)
    assert np.array_equal(voxels(given), filled((3, (2, 30), (2, 38))) - filled((3, (6, 24), (6, 30))))


def test_contours_that_overlap_in_part_are_joined_and_a_second_copy_is_none(tmp_path, scan):
    places = [(3, (2, 15), (2, 20)), (3, (10, 25), (10, 30))]
    contours = [box(*place) for place in (*places, places[0])]
    given = read_mask(write_structures(tmp_path / "a.dcm", {"liver": contours}), scan)
    assert np.array_equal(voxels(given), filled(*places))


def test_planes_between_slices_are_interpolated_with_a_sentence(tmp_path, scan):
    """Contours of a series with slices of 10 mm, half a slice beside those of the scan."""
    contours = [box(z, (5, 20), (6, 25)) for z in (1.5, 3.5, 5.5, 7.5)]
    given = read_mask(write_structures(tmp_path / "a.dcm", {"liver": contours}), scan)
    assert np.array_equal(voxels(given), filled(*((z, (5, 20), (6, 25)) for z in range(2, 8))))
    assert keys(given) == ["segmentation.interpolated"] and "liver: 6 slices without" in given.warnings[0]


def test_interpolation_grows_from_one_plane_to_the_next_and_not_across_a_gap(tmp_path, scan):
    small, large = box(2, (12, 18), (12, 18)), box(4, (6, 24), (6, 24))
    contours = [small, large, box(6, (6, 24), (6, 24)), box(11, (6, 24), (6, 24))]
    mask = voxels(read_mask(write_structures(tmp_path / "a.dcm", {"liver": contours}), scan))
    assert mask[2].sum() < mask[3].sum() < mask[4].sum()
    assert [int(plane.any()) for plane in mask] == [0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1]


def test_contours_across_the_slices_are_refused(tmp_path, scan):
    points = [place_of(z, 10, column) for z, column in ((2, 5), (2, 20), (8, 20), (8, 5))]
    with pytest.raises(InputError, match="1 contours of liver in a.dcm do not lie in the plane"):
        read_mask(write_structures(tmp_path / "a.dcm", {"liver": [np.array(points)]}), scan)


def test_points_and_open_contours_are_passed_over(tmp_path, scan):
    point, line = ("POINT", box(3, (2, 9), (2, 9))[:1]), ("OPEN_PLANAR", box(3, (2, 9), (2, 9)))
    path = write_structures(tmp_path / "a.dcm", {"liver": [point, line, box(5, (5, 20), (6, 25))]})
    assert np.array_equal(voxels(read_mask(path, scan)), filled((5, (5, 20), (6, 25))))


def test_outside_the_scan(tmp_path, scan):
    places = [(z, (5, 20), (6, 25)) for z in range(9, 15)]
    path = write_structures(tmp_path / "a.dcm", {"liver": [box(*place) for place in places]})
    given = read_mask(path, scan)
    assert np.array_equal(voxels(given), filled(*places[:3])) and keys(given) == [
        "segmentation.planes-outside"
    ]
    path = write_structures(tmp_path / "b.dcm", {"liver": [box(20, (5, 20), (6, 25))]})
    with pytest.raises(InputError, match="does not lie within the scan"):
        read_mask(path, scan)


def test_another_frame_of_reference_and_no_liver(tmp_path, scan):
    contours = [box(3, (5, 20), (6, 25))]
    path = write_structures(tmp_path / "a.dcm", {"liver": contours}, series="1.2.8", frame="1.2.9")
    with pytest.raises(InputError, match="belongs to another scan"):
        read_mask(path, scan)
    with pytest.raises(
        InputError, match="No segment of b.dcm is known as the liver.* It has: Liver-GTV, heart"
    ):
        read_mask(write_structures(tmp_path / "b.dcm", {"Liver-GTV": contours, "heart": contours}), scan)


def test_damaged_or_without_a_scan(tmp_path, scan):
    path = write_structures(tmp_path / "a.dcm", {"liver": [box(3, (5, 20), (6, 25))] * 20})
    with pytest.raises(InputError, match="a.dcm is an RT Structure Set: contours become voxels only"):
        read_mask_alone(path)
    (tmp_path / "b.dcm").write_bytes(path.read_bytes()[:-1500])
    with pytest.raises(UnreadableImageError, match="b.dcm cannot be read as a segmentation"):
        read_mask(tmp_path / "b.dcm", scan)


def test_a_polygon_holds_the_pixels_whose_centres_it_holds():
    angles = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    points = np.column_stack([20.3 + 11 * np.cos(angles), 15.7 + 9 * np.sin(angles)])
    y, x = np.mgrid[:32, :40]
    expected = ((x - 20.3) / 11) ** 2 + ((y - 15.7) / 9) ** 2 < 1
    assert (inside_polygon(points, (32, 40)) != expected).sum() <= 2
    left, right = np.array([(2, 2), (10, 2), (10, 9), (2, 9)]), np.array([(10, 2), (20, 2), (20, 9), (10, 9)])
    both = inside_polygon(left, (32, 40)).astype(int) + inside_polygon(right, (32, 40))
    assert both.max() == 1 and both.sum() == 18 * 7
    beyond = np.array([(-50, -50), (100, -50), (100, 100), (-50, 100)])
    assert inside_polygon(beyond, (32, 40)).all()
