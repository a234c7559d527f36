"""Formats by name: text round trips, near misses, and the plug-in contract."""

import pickle

import numpy as np
import pytest

from energysim.errors import FormatError, UnknownNameError
from energysim.formats import FORMATS, decode, get_format

TEXTS = [
    "dense",
    "bitmap",
    "blocks",
    "blocks:rows=4,cols=8,taps=all",
    "nm",
    "nm:kept=1,size=8,order=tap-channel",
    "coo",
    "csr",
    "csr:index=32,pointer=32",
    "csr:row_axes=2",
    "cyclic",
    "cyclic:fan=4,step=16",
    "index",
    "index:counts=free",
    "pattern",
    "pattern:dictionary=free",
    "periodic",
    "periodic:period=8",
    "rlc",
    "rlc:run=4,value=16,pairs=2",
    "stencil",
    "stencil:groups=8,stencil=row",
]


@pytest.mark.parametrize("text", TEXTS)
def test_text_round_trip(text):
    fmt = get_format(text)
    assert str(fmt) == text
    assert get_format(str(fmt)) == fmt
    assert pickle.loads(pickle.dumps(fmt)) == fmt
    assert fmt.name == text.partition(":")[0]
    assert fmt.lossless


def test_defaults_are_not_written():
    assert str(get_format("rlc:run=5, pairs=3")) == "rlc"
    assert get_format("index:counts=charged") == get_format("index")


def test_every_built_in_is_tested():
    assert {info.name for info in FORMATS.list() if info.origin == "energysim"} == {
        text.partition(":")[0] for text in TEXTS
    }


def test_unknown_name():
    with pytest.raises(UnknownNameError, match="did you mean 'bitmap'"):
        get_format("bitmpa")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("csr:indx=32", "no parameter 'indx'; did you mean 'index'"),
        ("csr:zz=1", "known: index, pointer, row_axes"),
        ("dense:zz=1", "known: none"),
        ("csr:index=32,index=16", "given twice"),
        ("csr:index", "not written as key=value"),
        ("csr:", "not written as key=value"),
        ("csr:index=", "not written as key=value"),
        ("csr:index=0", "is 0; an integer from 1 to 64"),
        ("csr:index=-1", "an integer from 1 to 64"),
        ("csr:index=999999999999", "an integer from 1 to 64"),
        ("csr:index=x", "is 'x'; an integer from 1 to 64"),
        ("rlc:run=17", "an integer from 1 to 16"),
        ("index:counts=fre", "did you mean 'free'"),
        ("index:counts=none", "known: charged, free"),
    ],
)
def test_bad_parameters(text, message):
    with pytest.raises(FormatError, match=message):
        get_format(text)


def test_bytes_know_their_format():
    array = np.array([[0, 3], [-1, 0]])
    for text in TEXTS:
        if text.startswith(("nm", "blocks", "cyclic", "stencil")):
            continue  # these hold tensors of a certain form only
        data = get_format(text).encode(array, 3).data
        np.testing.assert_array_equal(decode(data), array)
    with pytest.raises(FormatError, match="written by 'rlc:run=4,value=16,pairs=2', not by 'rlc'"):
        get_format("rlc").decode(data)
