"""Reading files and in-memory images, and the sentences for what cannot be used."""

import gzip
import math
import os
import struct

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from LiverSegLib.errors import (
    ImageGeometryError,
    InputError,
    NotCTError,
    OutOfMemoryError,
    UnreadableImageError,
    UsageError,
)
from LiverSegLib.images import check_image, facts, file_state, fingerprint, read_scan, unchanged

FORMATS = ("nii", "nii.gz", "nrrd", "mha", "mhd")


def phantom(shape=(12, 40, 48), dtype=np.int16):
    """A noisy body of fat and soft tissue with bone, in air, HU; (z, y, x)."""
    z, y, x = np.indices(shape)
    radius = np.hypot((y - shape[1] / 2) / shape[1], (x - shape[2] / 2) / shape[2])
    array = np.full(shape, -1000.0)
    array[radius < 0.45] = -100
    array[radius < 0.40] = 60
    array[radius < 0.05] = 500
    array += np.random.default_rng(3).normal(0, 12, shape)
    return np.rint(array).astype(dtype)


def as_image(array, spacing=(0.8, 0.8, 2.5), origin=(-100.5, 20.25, 7.0), direction=None):
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    if direction is not None:
        image.SetDirection(np.ravel(direction).tolist())
    return image


def rotation(angle, axis=0):
    """3 x 3 rotation by ``angle`` degrees."""
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    turned = np.eye(3)
    first, second = [i for i in range(3) if i != axis]
    turned[first, first], turned[first, second] = c, -s
    turned[second, first], turned[second, second] = s, c
    return turned


def write(image, folder, extension="nii.gz", name="scan"):
    path = folder / f"{name}.{extension}"
    sitk.WriteImage(image, str(path))
    return path


def same_grid(one, other, tolerance=1e-4):
    return one.GetSize() == other.GetSize() and all(
        np.allclose(getattr(one, get)(), getattr(other, get)(), atol=tolerance)
        for get in ("GetSpacing", "GetOrigin", "GetDirection")
    )


class TestReading:
    @pytest.mark.parametrize("extension", FORMATS)
    @pytest.mark.parametrize(
        "direction",
        [
            np.eye(3),
            np.diag([1, 1, -1]),
            rotation(17) @ rotation(8, 2),
            np.diag([-1, 1, 1]) @ rotation(30, 1),
            np.eye(3)[[2, 0, 1]],
        ],
        ids=["plain", "left-handed", "oblique", "left-handed-oblique", "sagittal"],
    )
    def test_voxels_and_grid_come_as_written(self, tmp_path, extension, direction):
        image = as_image(phantom(), direction=direction)
        scan = read_scan(write(image, tmp_path, extension))
        assert np.array_equal(sitk.GetArrayViewFromImage(scan.image), phantom())
        assert same_grid(scan.image, image)
        assert scan.image.GetPixelID() == sitk.sitkInt16
        assert (scan.name, scan.modality, scan.series, scan.warnings) == ("scan", None, None, ())

    def test_nifti_grid_is_exactly_what_simpleitk_reads(self, tmp_path):
        path = write(as_image(phantom(), direction=rotation(11, 1)), tmp_path)
        ours, theirs = read_scan(path).image, sitk.ReadImage(str(path))
        for get in ("GetSpacing", "GetOrigin", "GetDirection"):
            assert getattr(ours, get)() == getattr(theirs, get)()

    @pytest.mark.parametrize("dtype", [np.int32, np.uint16, np.float32, np.float64])
    def test_whole_values_become_int16(self, tmp_path, dtype):
        array = phantom()
        if dtype is np.uint16:
            with pytest.raises(NotCTError, match="rescale intercept"):
                read_scan(write(as_image((array + 1024).clip(0).astype(dtype)), tmp_path, "nrrd"))
            return
        scan = read_scan(write(as_image(array.astype(dtype)), tmp_path, "nrrd"))
        assert scan.image.GetPixelID() == sitk.sitkInt16
        assert np.array_equal(sitk.GetArrayViewFromImage(scan.image), array)

    def test_fractional_values_stay_float32(self, tmp_path):
        array = phantom().astype(np.float64) + 0.25
        scan = read_scan(write(as_image(array), tmp_path))
        assert scan.image.GetPixelID() == sitk.sitkFloat32
        assert np.array_equal(sitk.GetArrayViewFromImage(scan.image), array.astype(np.float32))

    def test_nifti_intercept_is_applied_and_stays_int16(self, tmp_path):
        path = write(as_image((phantom() + 1024).clip(0)), tmp_path, "nii")
        patch(path, 112, struct.pack("<2f", 1.0, -1024.0))
        scan = read_scan(path)
        assert scan.image.GetPixelID() == sitk.sitkInt16
        assert np.array_equal(sitk.GetArrayViewFromImage(scan.image), (phantom() + 1024).clip(0) - 1024)

    def test_nifti_fractional_slope_is_applied(self, tmp_path):
        path = write(as_image(phantom() * 2), tmp_path, "nii")
        patch(path, 112, struct.pack("<2f", 0.5, 0.25))
        assert np.allclose(sitk.GetArrayViewFromImage(read_scan(path).image), phantom() + 0.25)

    def test_big_endian_nifti_is_read(self, tmp_path):
        path = write(as_image(phantom()), tmp_path, "nii")
        write_big_endian(path)
        image = read_scan(path).image
        assert np.array_equal(sitk.GetArrayViewFromImage(image), phantom())
        assert same_grid(image, as_image(phantom()))

    def test_nifti_2_is_read(self, tmp_path):
        image = as_image(phantom(), direction=rotation(12))
        path = write(image, tmp_path, "nii")
        as_nifti_2(path)
        scan = read_scan(path)
        assert np.array_equal(sitk.GetArrayViewFromImage(scan.image), phantom())
        assert same_grid(scan.image, image)

    @pytest.mark.parametrize("direction", [rotation(12) @ rotation(7, 2), np.diag([1, 1, -1]) @ rotation(25)])
    def test_qform_and_sform_of_a_file_agree(self, tmp_path, direction):
        path = write(as_image(phantom(), direction=direction), tmp_path, "nii")
        by_sform = read_scan(path).image
        patch(path, 254, struct.pack("<h", 0))
        for image in (by_sform, read_scan(path).image):
            assert same_grid(image, as_image(phantom(), direction=direction))

    def test_gzip_of_several_members_is_read(self, tmp_path):
        plain = write(as_image(phantom()), tmp_path, "nii").read_bytes()
        path = tmp_path / "parts.nii.gz"
        path.write_bytes(gzip.compress(plain[:9000]) + gzip.compress(plain[9000:]) + b"\0" * 20)
        assert np.array_equal(sitk.GetArrayViewFromImage(read_scan(path).image), phantom())

    def test_one_frame_of_four_dimensions_is_squeezed(self, tmp_path):
        volume = as_image(phantom(), direction=rotation(9))
        four = sitk.JoinSeries([volume])
        for source in (four, write(four, tmp_path), write(four, tmp_path, "nrrd")):
            scan = read_scan(source)
            assert np.array_equal(sitk.GetArrayViewFromImage(scan.image), phantom())
            assert same_grid(scan.image, volume)

    def test_image_in_memory_is_shared_not_changed(self):
        image = as_image(phantom())
        scan = read_scan(image)
        image.SetPixel(0, 0, 0, 77)
        assert scan.image.GetPixel(0, 0, 0) != 77
        assert (scan.path, scan.name, scan.files) == (None, "scan", ())
        assert unchanged(scan)

    def test_patient_metadata_does_not_travel(self):
        image = as_image(phantom())
        image.SetMetaData("0010|0010", "DOE^JANE")
        image.SetMetaData("0008|0060", "CT")
        scan = read_scan(image)
        assert scan.modality == "CT"
        assert scan.image.GetMetaDataKeys() == ()
        assert image.GetMetaData("0010|0010") == "DOE^JANE"

    def test_home_and_relative_paths_are_understood(self, tmp_path, monkeypatch):
        write(as_image(phantom()), tmp_path)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("HOME", str(tmp_path))
        assert (
            read_scan("scan.nii.gz").path == read_scan("~/scan.nii.gz").path == str(tmp_path / "scan.nii.gz")
        )


class TestShear:
    """A NIfTI whose axes are not perpendicular: ITK neither reads nor writes it as it is."""

    DIRECTION = np.array([[1, 0.1, 0], [0, 0.995, -0.2], [0, 0, 0.98]])

    def sheared(self):
        return as_image(phantom(), direction=self.DIRECTION / np.linalg.norm(self.DIRECTION, axis=0))

    @pytest.mark.parametrize("extension", ["nii", "nii.gz"])
    def test_nifti_keeps_the_shear_that_itk_refuses(self, tmp_path, extension):
        path = write(self.sheared(), tmp_path, "nii")
        set_sform(path, self.sheared())
        if extension == "nii.gz":
            path = tmp_path / "packed.nii.gz"
            path.write_bytes(gzip.compress((tmp_path / "scan.nii").read_bytes()))
        with pytest.raises(RuntimeError):
            sitk.ReadImage(str(path))
        scan = read_scan(path)
        assert same_grid(scan.image, self.sheared())
        assert np.array_equal(sitk.GetArrayViewFromImage(scan.image), phantom())
        assert "not perpendicular" in scan.warnings[0]

    @pytest.mark.parametrize("extension", ["nrrd", "mha"])
    def test_other_formats_keep_the_shear(self, tmp_path, extension):
        assert same_grid(read_scan(write(self.sheared(), tmp_path, extension)).image, self.sheared())

    def test_axes_that_hardly_span_space_are_refused(self):
        direction = np.array([[1, 0.9, 0], [0, 0.436, 0], [0, 0, 1]])
        with pytest.raises(ImageGeometryError, match="perpendicular"):
            check_image(as_image(phantom(), direction=direction))


class TestUnreadable:
    def test_missing_path(self, tmp_path):
        with pytest.raises(UnreadableImageError, match="does not exist"):
            read_scan(tmp_path / "nowhere.nii.gz")

    @pytest.mark.parametrize("extension", FORMATS)
    def test_empty_file(self, tmp_path, extension):
        path = tmp_path / f"a.{extension}"
        path.touch()
        with pytest.raises(UnreadableImageError, match="empty"):
            read_scan(path)

    @pytest.mark.parametrize("extension", FORMATS)
    @pytest.mark.parametrize("keep", [0.02, 0.5, 0.98])
    def test_truncated_file(self, tmp_path, extension, keep):
        path = write(as_image(phantom()), tmp_path, extension)
        cut = tmp_path / "scan.raw" if extension == "mhd" else path
        cut.write_bytes(cut.read_bytes()[: int(keep * cut.stat().st_size)])
        with pytest.raises(UnreadableImageError):
            read_scan(path)

    @pytest.mark.parametrize("extension", ["nrrd", "mha", "mhd"])
    def test_truncated_compressed_file(self, tmp_path, extension):
        path = tmp_path / f"scan.{extension}"
        sitk.WriteImage(as_image(phantom()), str(path), True)
        cut = tmp_path / "scan.zraw" if extension == "mhd" else path
        cut.write_bytes(cut.read_bytes()[:-1000])
        with pytest.raises(UnreadableImageError):
            read_scan(path)

    @pytest.mark.parametrize("extension", ["nrrd", "mha", "mhd"])
    def test_whole_compressed_file(self, tmp_path, extension):
        path = tmp_path / f"scan.{extension}"
        sitk.WriteImage(as_image(phantom()), str(path), True)
        assert np.array_equal(sitk.GetArrayViewFromImage(read_scan(path).image), phantom())

    def test_damaged_middle_of_a_compressed_file(self, tmp_path):
        path = write(as_image(phantom()), tmp_path)
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 0x10
        path.write_bytes(data)
        with pytest.raises(UnreadableImageError, match="damaged|incomplete"):
            read_scan(path)

    @pytest.mark.parametrize("extension", FORMATS)
    def test_text_behind_an_image_extension(self, tmp_path, extension):
        path = tmp_path / f"notes.{extension}"
        path.write_text("Findings: none.\n" * 100)
        with pytest.raises(UnreadableImageError):
            read_scan(path)

    def test_wrong_extension_among_the_known(self, tmp_path):
        path = write(as_image(phantom()), tmp_path, "mha").rename(tmp_path / "scan.nrrd")
        with pytest.raises(UnreadableImageError, match="not what its extension says"):
            read_scan(path)

    @pytest.mark.parametrize(
        ("name", "words"), [("a.pdf", "no known kind"), ("a.rar", "archive"), ("a", "no known kind")]
    )
    def test_unknown_kinds_name_what_can_be_read(self, tmp_path, name, words):
        path = tmp_path / name
        path.write_bytes(b"something" * 50)
        with pytest.raises(UnreadableImageError, match=words):
            read_scan(path)

    def test_detached_header_without_its_data(self, tmp_path):
        path = write(as_image(phantom()), tmp_path, "mhd")
        (tmp_path / "scan.raw").unlink()
        with pytest.raises(UnreadableImageError, match="scan.raw, which is not there"):
            read_scan(path)

    def test_folder_without_dicom_names_the_volume_in_it(self, tmp_path):
        with pytest.raises(UnreadableImageError, match="holds no DICOM images"):
            read_scan(tmp_path)
        write(as_image(phantom()), tmp_path)
        with pytest.raises(UnreadableImageError, match="for example scan.nii.gz"):
            read_scan(tmp_path)

    @pytest.mark.skipif(
        os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all"
    )
    def test_file_without_permission(self, tmp_path):
        path = write(as_image(phantom()), tmp_path)
        path.chmod(0)
        with pytest.raises(UnreadableImageError, match="permission"):
            read_scan(path)

    @settings(max_examples=30, deadline=None)
    @given(data=st.data())
    def test_a_damaged_header_is_an_input_error_or_an_image(self, tmp_path_factory, data):
        path = write(as_image(phantom((4, 20, 20))), tmp_path_factory.mktemp("fuzz"), "nii")
        where = data.draw(st.integers(0, 347))
        patch(path, where, bytes(data.draw(st.lists(st.integers(0, 255), min_size=1, max_size=4))))
        try:
            scan = read_scan(path)
        except InputError:
            return
        assert scan.image.GetDimension() == 3


class TestNotCT:
    @pytest.mark.parametrize("extension", ["png", "jpg"])
    def test_pictures(self, tmp_path, extension):
        path = tmp_path / f"a.{extension}"
        sitk.WriteImage(sitk.GetImageFromArray(np.zeros((20, 20), np.uint8)), str(path))
        with pytest.raises(NotCTError, match="picture"):
            read_scan(path)

    def test_other_modality(self):
        with pytest.raises(NotCTError, match="modality is PT"):
            check_image(as_image(phantom()), modality="PT")

    @pytest.mark.parametrize(("components", "word"), [(3, "color"), (2, "2 values per voxel")])
    def test_colour_and_vector_images(self, tmp_path, components, word):
        image = sitk.Compose([as_image(phantom().clip(0, 255).astype(np.uint8))] * components)
        for source in (image, write(image, tmp_path, "nrrd"), write(image, tmp_path, "nii.gz")):
            with pytest.raises((NotCTError), match=word):
                read_scan(source)

    def test_complex_image(self):
        with pytest.raises(NotCTError, match="complex"):
            check_image(sitk.Cast(as_image(phantom().astype(np.float32)), sitk.sitkComplexFloat32))

    @pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
    def test_label_map(self, dtype):
        labels = (phantom() > -500).astype(dtype) + (phantom() > 0)
        with pytest.raises(NotCTError, match="label map"):
            read_scan(as_image(labels.astype(dtype)))

    def test_mr_like_values(self):
        values = np.abs(np.random.default_rng(0).gamma(2, 120, (10, 40, 40))).astype(np.int16)
        with pytest.raises(NotCTError, match="MR"):
            read_scan(as_image(values))

    def test_ct_without_rescale_intercept_is_told_apart_from_mr(self):
        with pytest.raises(NotCTError, match="rescale intercept"):
            read_scan(as_image((phantom() + 1024).clip(0).astype(np.uint16)))

    def test_normalised_values(self):
        with pytest.raises(NotCTError, match="Hounsfield"):
            read_scan(as_image((phantom() / 1000.0).astype(np.float32)))

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_one_non_finite_voxel_is_found(self, bad):
        array = phantom().astype(np.float32)
        array[5, 7, 11] = bad
        with pytest.raises(NotCTError, match="1 voxels that are not numbers"):
            read_scan(as_image(array))

    def test_constant_image(self):
        with pytest.raises(NotCTError, match="every voxel has the value -1000"):
            read_scan(as_image(np.full((10, 20, 20), -1000, np.int16)))

    @pytest.mark.parametrize("padding", [-2000, -3024, -32768])
    def test_padding_outside_the_circle_is_fine(self, padding):
        array = phantom()
        array[:, :4] = padding
        assert check_image(as_image(array)) == ()

    def test_clipped_values_are_a_warning(self):
        assert "clipped" in check_image(as_image(phantom().clip(-160, 240)))[0]

    def test_few_valued_phantom_with_air_is_a_ct(self):
        array = np.full((10, 20, 20), -1000, np.int16)
        array[2:8, 5:15, 5:15] = 60
        array[4:6, 8:12, 8:12] = 110
        check_image(as_image(array))


class TestGeometry:
    @pytest.mark.parametrize(
        ("shape", "words"), [((1, 40, 48), "single slice"), ((2, 40, 48), "only 2 slices")]
    )
    def test_too_few_slices(self, tmp_path, shape, words):
        image = as_image(phantom(shape))
        for source in (image, write(image, tmp_path), write(image, tmp_path, "mha")):
            with pytest.raises(ImageGeometryError, match=words):
                read_scan(source)

    def test_plane_image(self):
        with pytest.raises(ImageGeometryError, match="single slice"):
            read_scan(sitk.GetImageFromArray(phantom()[5]))

    def test_frames(self, tmp_path):
        frames = sitk.JoinSeries([as_image(phantom())] * 2)
        for source in (frames, write(frames, tmp_path), write(frames, tmp_path, "nrrd")):
            with pytest.raises(ImageGeometryError, match="2 frames"):
                read_scan(source)

    @pytest.mark.parametrize(
        ("spacing", "words"),
        [
            ((0.01, 0.01, 2), "too small"),
            ((0.8, 0.8, 0.05), "too small"),
            ((0.8, 0.8, 25), "too coarse"),
            ((12, 12, 12), "too coarse"),
        ],
    )
    def test_absurd_spacing(self, spacing, words):
        with pytest.raises(ImageGeometryError, match=words):
            read_scan(as_image(phantom(), spacing=spacing))

    def test_zero_spacing_in_a_file(self, tmp_path):
        path = write(as_image(phantom()), tmp_path, "nii")
        patch(path, 80, struct.pack("<3f", 0, 0, 0))
        with pytest.raises(ImageGeometryError, match="spacing"):
            read_scan(path)

    def test_absurd_size_is_refused_before_memory_is_taken(self, tmp_path):
        path = write(as_image(phantom()), tmp_path, "nii")
        patch(path, 42, struct.pack("<3h", 32000, 32000, 32000))
        with pytest.raises(ImageGeometryError, match="too large"):
            read_scan(path)

    def test_position_that_is_no_number(self):
        image = as_image(phantom())
        image.SetOrigin((0, math.nan, 0))
        with pytest.raises(ImageGeometryError, match="not a number"):
            read_scan(image)

    def test_thick_slices_and_lost_spacing_are_warnings(self):
        assert "10 mm apart" in check_image(as_image(phantom(), spacing=(0.8, 0.8, 10)))[0]
        wide = np.tile(phantom((4, 64, 64)), (1, 8, 8))
        assert "exactly 1 × 1 × 1 mm" in check_image(as_image(wide, spacing=(1, 1, 1)))[0]

    def test_two_spacings_in_one_file(self, tmp_path):
        path = write(as_image(phantom()), tmp_path, "nii")
        patch(path, 80, struct.pack("<3f", 1, 1, 1))
        scan = read_scan(path)
        assert scan.image.GetSpacing() == pytest.approx((0.8, 0.8, 2.5))
        assert "two different voxel spacings" in scan.warnings[0]


class TestFingerprint:
    def test_is_the_same_for_the_same_voxels_and_grid(self, tmp_path):
        prints = {
            read_scan(write(as_image(phantom()), tmp_path, e)).fingerprint for e in ("nrrd", "mha", "mhd")
        }
        assert prints == {fingerprint(as_image(phantom()))}
        assert len(prints.pop()) == 64

    def test_changes_with_one_voxel_and_every_part_of_the_grid(self):
        array = phantom()
        array[3, 4, 5] += 1
        others = [
            as_image(array),
            as_image(phantom(), spacing=(0.8, 0.8, 2.6)),
            as_image(phantom(), origin=(0, 0, 1)),
            as_image(phantom(), direction=np.diag([1, 1, -1])),
            as_image(phantom().reshape(12, 48, 40)),
        ]
        assert len({fingerprint(image) for image in [as_image(phantom()), *others]}) == 6


class TestFacts:
    def test_one_line(self):
        scan = read_scan(as_image(phantom()))
        assert facts(scan) == "48 × 40 × 12, 0.8 × 0.8 × 2.5 mm"
        assert facts(scan, "portal") == "48 × 40 × 12, 0.8 × 0.8 × 2.5 mm, portal venous phase"
        assert facts(scan, "unknown") == facts(scan)


class TestUnchanged:
    def test_rewritten_or_removed_input_is_noticed(self, tmp_path):
        path = write(as_image(phantom()), tmp_path)
        scan = read_scan(path)
        assert unchanged(scan)
        os.utime(path, ns=(1, 1))
        assert not unchanged(scan)
        path.unlink()
        assert not unchanged(scan)

    def test_the_data_file_of_a_detached_header_counts(self, tmp_path):
        scan = read_scan(write(as_image(phantom()), tmp_path, "mhd"))
        assert [os.path.basename(state[0]) for state in scan.files] == ["scan.mhd", "scan.raw"]
        os.utime(tmp_path / "scan.raw", ns=(1, 1))
        assert not unchanged(scan)

    def test_state_of_a_vanished_file(self, tmp_path):
        assert file_state(tmp_path / "no")[0][1:] == (-1, -1)


def patch(path, where, data):
    """Overwrite bytes of a file."""
    content = bytearray(path.read_bytes())
    content[where : where + len(data)] = data
    path.write_bytes(content)


def set_sform(path, image):
    """Put the grid of an image into the sform of a plain NIfTI-1 file, without a qform."""
    columns = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine = np.column_stack([columns, image.GetOrigin()]) * [[-1], [-1], [1]]
    patch(path, 252, struct.pack("<2h", 0, 1))
    patch(path, 280, struct.pack("<12f", *affine.ravel()))


def as_nifti_2(path):
    """Rewrite a plain NIfTI-1 file with the NIfTI-2 header."""
    one = path.read_bytes()
    two = bytearray(544)
    struct.pack_into("<i8s", two, 0, 540, b"n+2\0\r\n\x1a\n")
    struct.pack_into("<2h", two, 12, *struct.unpack_from("<2h", one, 70))
    struct.pack_into("<8q", two, 16, *struct.unpack_from("<8h", one, 40))
    struct.pack_into("<8d", two, 104, *struct.unpack_from("<8f", one, 76))
    struct.pack_into("<q2d", two, 168, 544, *struct.unpack_from("<2f", one, 112))
    struct.pack_into("<2i", two, 344, *struct.unpack_from("<2h", one, 252))
    struct.pack_into("<18d", two, 352, *struct.unpack_from("<18f", one, 256))
    path.write_bytes(bytes(two) + one[352:])


def write_big_endian(path):
    """Swap the bytes of the fields of a NIfTI-1 file that matter, and of its int16 voxels."""
    data = bytearray(path.read_bytes())
    for kind, where in (("i", 0), ("8h", 40), ("4h", 68), ("8f", 76), ("3f", 108), ("2h", 252), ("18f", 256)):
        struct.pack_into(">" + kind, data, where, *struct.unpack_from("<" + kind, data, where))
    data[352:] = np.frombuffer(bytes(data[352:]), "<i2").astype(">i2").tobytes()
    path.write_bytes(data)


@pytest.mark.parametrize("source", [None, 7, np.zeros((4, 4, 4))])
def test_what_is_no_scan_at_all_is_refused(source):
    with pytest.raises(UsageError, match="A scan is a file, a folder or a SimpleITK image"):
        read_scan(source)


OUT_OF_MEMORY = [
    MemoryError(),
    RuntimeError("Exception thrown in ImageFileReader_Execute: Failed to allocate memory for image."),
    RuntimeError("std::bad_alloc"),
    RuntimeError("bad allocation"),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY)
@pytest.mark.parametrize("site", ["_reader", "integrity.check_nifti", "_read_with_itk", "check_image"])
def test_memory_running_out_while_reading_is_no_damaged_file(tmp_path, monkeypatch, site, error):
    def fail(*_, **__):
        raise error

    path = write(as_image(phantom()), tmp_path, "nrrd" if site == "_reader" else "nii.gz")
    monkeypatch.setattr(f"LiverSegLib.images.files.{site}", fail)
    if site == "_reader":
        full = type("Full", (), {"ReadImageInformation": fail})
        monkeypatch.setattr("LiverSegLib.images.files._reader", lambda _: full())
    with pytest.raises(OutOfMemoryError, match=f"Memory ran out while reading {path.name}"):
        read_scan(path)
