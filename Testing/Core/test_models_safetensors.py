"""The safetensors reader and writer, held against the format's own package and against hostile files."""

import json
import os
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tensor_files import read_tensors

from LiverSegLib.errors import ModelCorruptError, OutputError
from LiverSegLib.models import safetensors as our_module
from LiverSegLib.models.safetensors import load_state_dict, open_tensors
from LiverSegLib.models.writer import save_tensors

try:
    import safetensors as package
except ImportError:
    package = None

DTYPES = ("uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64")
SHAPES = ((), (1,), (3, 5), (0, 4), (2, 1, 3, 2))


def some_tensors():
    rng = np.random.default_rng(0)
    return {
        f"{dtype}.{len(shape)}": np.asarray(rng.normal(size=shape) * 50).astype(dtype)
        for dtype in DTYPES
        for shape in SHAPES
    }


def file_bytes(header, data=b"", length=None):
    """A file from a header (JSON values or raw bytes) and data."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw) if length is None else length) + raw + data


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def assert_same(actual, expected):
    assert sorted(actual) == sorted(expected)
    for name, array in expected.items():
        assert actual[name].dtype == array.dtype, name
        assert actual[name].shape == array.shape, name
        np.testing.assert_array_equal(actual[name], array)


def test_what_is_written_is_read_back_in_every_dtype_and_shape(tmp_path):
    save_tensors(tmp_path / "w.safetensors", some_tensors(), {"format": "pt", "grüße": "ü"})
    assert_same(read_tensors(tmp_path / "w.safetensors"), some_tensors())


def test_bytes_are_read_as_a_file_is(tmp_path):
    save_tensors(tmp_path / "w", some_tensors())
    assert_same(read_tensors((tmp_path / "w").read_bytes()), some_tensors())


def test_no_tensors_at_all_is_a_valid_file(tmp_path):
    save_tensors(tmp_path / "w", {})
    assert read_tensors(tmp_path / "w") == {}


def test_read_arrays_are_aligned_and_own_their_memory():
    header = {"a": entry("U8", (1,), (0, 1)), "b": entry("F64", (1,), (1, 9))}  # b starts at an odd address
    tensors = read_tensors(file_bytes(header, b"\x07" + struct.pack("<d", 2.5)))
    tensors["b"] += 1
    assert tensors["b"].flags.aligned
    assert tensors["b"].tolist() == [3.5]


def test_views_are_not_copies():
    raw = bytearray(file_bytes({"a": entry()}, struct.pack("<2f", 1, 2)))
    view = open_tensors(raw)["a"]
    assert (view.dtype, view.shape, len(view.data)) == ("F32", (2,), 8)
    raw[-4:] = struct.pack("<f", 9)
    assert np.frombuffer(view.data, "<f4").tolist() == [1, 9]


def test_bfloat16_is_widened_to_the_same_value():
    tensors = read_tensors(file_bytes({"a": entry("BF16", (2,), (0, 4))}, b"\x80\x3f\x49\xc0"))
    assert tensors["a"].dtype == np.float32
    assert tensors["a"].tolist() == [1.0, -3.140625]


def test_equal_tensors_give_equal_files_whatever_their_order_and_layout(tmp_path):
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    save_tensors(tmp_path / "a", {"x": array, "y": array.astype("<i2")}, {"k": "v", "a": "b"})
    save_tensors(
        tmp_path / "b", {"y": array.astype(">i2"), "x": np.asfortranarray(array)}, {"a": "b", "k": "v"}
    )
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_package_reads_what_we_write(tmp_path):
    theirs = pytest.importorskip("safetensors.numpy")
    save_tensors(tmp_path / "w", some_tensors(), {"format": "np", "grüße": "ü"})
    assert_same(theirs.load_file(tmp_path / "w"), some_tensors())
    with package.safe_open(tmp_path / "w", "numpy") as file:
        assert file.metadata() == {"format": "np", "grüße": "ü"}


def test_we_read_what_the_package_writes(tmp_path):
    theirs = pytest.importorskip("safetensors.numpy")
    theirs.save_file(some_tensors(), tmp_path / "w", metadata={"who": "package"})
    assert_same(read_tensors(tmp_path / "w"), some_tensors())


def test_torch_tensors_come_in_their_own_dtype(tmp_path):
    torch = pytest.importorskip("torch")
    save_tensors(tmp_path / "w", some_tensors())
    state = load_state_dict(tmp_path / "w")
    for name, array in some_tensors().items():
        assert str(state[name].dtype) == "torch." + array.dtype.name
        assert torch.equal(state[name], torch.tensor(array))


def test_bfloat16_and_empty_tensors_from_the_package_load_in_torch():
    torch = pytest.importorskip("torch")
    theirs = pytest.importorskip("safetensors.torch")
    tensors = {
        "b": torch.randn(3, 4).to(torch.bfloat16),
        "e": torch.zeros(0, 3, dtype=torch.bfloat16),
        "n": torch.tensor(4),
    }
    state = load_state_dict(theirs.save(tensors))
    assert all(torch.equal(state[name], tensors[name]) for name in tensors)
    assert state["b"].dtype == torch.bfloat16


def test_a_loaded_state_does_not_share_memory_with_the_bytes():
    pytest.importorskip("torch")
    raw = bytearray(file_bytes({"a": entry()}, struct.pack("<2f", 1, 2)))
    state = load_state_dict(raw)
    raw[-8:] = b"\xff" * 8
    assert state["a"].tolist() == [1, 2]


BROKEN = {
    "empty": (b"", "is empty"),
    "cut in the length": (b"\x05\x00", "first eight bytes"),
    "cut in the header": (file_bytes(b'{"a"', length=50), "within its header"),
    "huge header": (file_bytes(b"{}", length=2**63), "more than the"),
    "header over the limit": (file_bytes(b"{}", length=17 * 1024**2), "more than the"),
    "no JSON": (file_bytes(b"{nonsense"), "not JSON"),
    "two JSON values": (file_bytes(b"{} {}"), "not JSON"),
    "a list": (file_bytes(b"[]"), "brace"),
    "leading space": (file_bytes(b" {}"), "brace"),
    "nested without end": (file_bytes(b'{"a":' + b"[" * 100_000), "not JSON"),
    "not UTF-8": (file_bytes(b'{"\xff":1}'), "not UTF-8"),
    "lone surrogate": (file_bytes(rb'{"\ud800":1}'), "no valid text"),
    "same name twice": (file_bytes(b'{"a":' + json.dumps(entry()).encode() + b',"a":1}', bytes(8)), "twice"),
    "same field twice": (file_bytes(b'{"a":{"dtype":"F32","dtype":"F64"}}'), "twice"),
    "NaN": (file_bytes(b'{"a":NaN}'), "exactly dtype"),
    "fraction": (
        file_bytes(b'{"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}}', b"1"),
        "impossible shape",
    ),
    "number of a million digits": (file_bytes(b'{"a":' + b"9" * 1_000_000 + b"}"), "exactly dtype"),
    "metadata no object": (file_bytes({"__metadata__": []}), "text to text"),
    "metadata not text": (file_bytes({"__metadata__": {"a": 1}}), "text to text"),
    "entry no object": (file_bytes({"a": 3}), "exactly dtype"),
    "entry without shape": (file_bytes({"a": {"dtype": "F32", "data_offsets": [0, 0]}}), "exactly dtype"),
    "unknown dtype": (file_bytes({"a": entry("F99")}, bytes(8)), "unknown dtype"),
    "dtype no text": (file_bytes({"a": entry(["F32"])}, bytes(8)), "unknown dtype"),
    "negative shape": (file_bytes({"a": entry(shape=(-2,))}, bytes(8)), "impossible shape"),
    "truth as size": (file_bytes({"a": entry("U8", (True,), (0, 1))}, b"1"), "impossible shape"),
    "overflowing shape": (file_bytes({"a": entry(shape=(2**40, 2**40))}, bytes(8)), "impossible shape"),
    "overflow behind a zero": (
        file_bytes({"a": entry(shape=(0, 2**62, 2**62), offsets=(0, 0))}),
        "impossible",
    ),
    "too many axes": (file_bytes({"a": entry("U8", (1,) * 33, (0, 1))}, b"1"), "impossible shape"),
    "shape against length": (file_bytes({"a": entry(shape=(3,))}, bytes(8)), "does not have the length"),
    "offsets beyond the end": (file_bytes({"a": entry(offsets=(0, 9))}, bytes(8)), "ends before"),
    "offsets far beyond": (
        file_bytes({"a": entry(shape=(2**61 - 1,), offsets=(0, 2**63 - 4))}),
        "ends before",
    ),
    "negative offset": (file_bytes({"a": entry(offsets=(-8, 0))}, bytes(8)), "impossible offsets"),
    "offsets reversed": (file_bytes({"a": entry(offsets=(8, 0))}, bytes(8)), "impossible offsets"),
    "three offsets": (file_bytes({"a": entry(offsets=(0, 4, 8))}, bytes(8)), "impossible offsets"),
    "overlap": (file_bytes({"a": entry(), "b": entry(offsets=(4, 12))}, bytes(12)), "overlaps"),
    "same data twice": (file_bytes({"a": entry(), "b": entry()}, bytes(8)), "overlaps"),
    "gap": (file_bytes({"a": entry(), "b": entry(offsets=(12, 20))}, bytes(20)), "gap"),
    "gap at the start": (file_bytes({"a": entry(offsets=(8, 16))}, bytes(16)), "gap"),
    "truncated data": (file_bytes({"a": entry()}, bytes(7)), "ends before"),
    "trailing garbage": (file_bytes({"a": entry()}, bytes(9)), "1 bytes follow"),
    "truth values": (file_bytes({"a": entry("BOOL", (1,), (0, 1))}, b"\x01"), "unknown dtype"),
}


@pytest.mark.parametrize(("raw", "reason"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_file_is_refused_with_its_reason(raw, reason):
    with pytest.raises(ModelCorruptError, match=reason):
        read_tensors(raw)


def test_every_truncation_is_refused(tmp_path):
    save_tensors(tmp_path / "w", {"a": np.arange(4.0), "b": np.ones(3, np.uint8)})
    whole = (tmp_path / "w").read_bytes()
    for length in range(len(whole)):
        with pytest.raises(ModelCorruptError):
            read_tensors(whole[:length])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelCorruptError, match="no file gone.safetensors"):
        read_tensors(tmp_path / "gone.safetensors")


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(ModelCorruptError, match=tmp_path.name):
        read_tensors(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_refused_instead_of_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelCorruptError, match="no ordinary file"):
        read_tensors(tmp_path / "pipe")


def test_a_file_beyond_the_limit_is_not_even_read(tmp_path, monkeypatch):
    monkeypatch.setattr(our_module, "MAX_WEIGHTS_BYTES", 100)
    save_tensors(tmp_path / "w", {"a": np.zeros(100)})
    with pytest.raises(ModelCorruptError, match="at most 100"):
        read_tensors(tmp_path / "w")


VALID = file_bytes(
    {
        "__metadata__": {"k": "v"},
        "a": entry(),
        "b": entry("I8", (2, 1), (8, 10)),
        "c": entry("BF16", (0,), (10, 10)),
    },
    struct.pack("<2f", 1, 2) + b"\x00\x01",
)


@st.composite
def damaged_files(draw):
    """A valid file with a few bytes changed, inserted, removed or cut off."""
    raw = bytearray(VALID)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(0, len(raw) - 1)))
        action = draw(st.sampled_from(["change", "insert", "remove", "cut"]))
        if action == "change" and raw:
            raw[place] = draw(st.sampled_from(list(b'0123456789{}[]",:-e \\\x00\xff')))
        elif action == "insert":
            raw[place:place] = draw(st.binary(max_size=6))
        elif action == "remove":
            del raw[place : place + draw(st.integers(1, 6))]
        else:
            del raw[place:]
    return bytes(raw)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
SIZES = st.lists(st.integers(0, 9) | JSON_VALUES, max_size=3) | JSON_VALUES
ENTRIES = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "I8", "U8", "F4"]) | JSON_VALUES,
        "shape": SIZES,
        "data_offsets": SIZES,
    }
)
HEADERS = st.dictionaries(
    st.sampled_from(["a", "b", "__metadata__"]) | st.text(max_size=3), ENTRIES | JSON_VALUES
)


def accepted(raw):
    """The tensors, or None if the file was refused in the one way that is allowed."""
    try:
        return read_tensors(raw)
    except ModelCorruptError as error:
        str(error).encode("utf-8")
        return None


@settings(max_examples=400, deadline=None)
@given(damaged_files())
def test_damage_is_refused_or_harmless_and_what_we_accept_the_package_accepts(raw):
    tensors = accepted(raw)
    if tensors is not None and package is not None:
        assert sorted(tensors) == sorted(name for name, _ in package.deserialize(raw))


@settings(max_examples=100, deadline=None)
@given(HEADERS, st.binary(max_size=12))
def test_arbitrary_headers_are_refused_or_valid(header, data):
    tensors = accepted(file_bytes(header, data))
    if tensors is not None:
        assert sum(array.nbytes for array in tensors.values()) == len(data)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=64))
def test_arbitrary_bytes_are_refused_or_valid(raw):
    accepted(raw)


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=("Cs",)), max_size=8).filter(
            lambda name: name != "__metadata__"
        ),
        st.tuples(st.sampled_from(DTYPES), st.lists(st.integers(0, 3), max_size=4)),
        max_size=4,
    )
)
def test_write_then_read_is_identity(tmp_path_factory, description):
    tensors = {name: np.ones(shape, dtype) for name, (dtype, shape) in description.items()}
    path = tmp_path_factory.mktemp("identity") / "w"
    save_tensors(path, tensors)
    assert_same(read_tensors(path), tensors)


@pytest.mark.parametrize(
    ("tensors", "metadata"),
    [
        ({"__metadata__": np.zeros(1)}, None),
        ({"a": np.zeros(1, complex)}, None),
        ({"a": np.array(["text"])}, None),
        ({"a": [1.0, 2.0]}, None),
        ({"\ud800": np.zeros(1)}, None),
        ({3: np.zeros(1)}, None),
        ({"a": np.zeros(1)}, {"steps": 3}),
    ],
)
def test_what_the_format_cannot_hold_is_not_written(tmp_path, tensors, metadata):
    with pytest.raises(ValueError):
        save_tensors(tmp_path / "w", tensors, metadata)
    assert list(tmp_path.iterdir()) == []


def test_writing_into_a_missing_folder_is_an_output_error(tmp_path):
    with pytest.raises(OutputError, match="No such file"):
        save_tensors(tmp_path / "gone" / "w", {"a": np.ones(3)})
