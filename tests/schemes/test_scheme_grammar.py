"""Scheme strings: what they mean, that they are written back, and how mistakes are told."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energysim.errors import EnergysimError, SchemeError, UnknownNameError
from energysim.registry import Registry
from energysim.schemes import SCHEMES, Left, Rules, Scheme, parse_scheme, parse_schemes
from energysim.schemes.dense import Dense
from energysim.schemes.patterns import Patterns
from energysim.schemes.psc import PSC
from energysim.schemes.psconv import PSConv
from energysim.zoo import load_model


def psconv_values(draw):
    dense = draw(st.integers(0, 1))
    return PSConv(
        draw(st.sampled_from([1, 2, 4])),
        draw(st.integers(1 + dense, 64)),
        dense,
        draw(st.sampled_from(["3x3", "all"])),
    )


def psc_values(draw):
    windows = draw(st.sampled_from(["3x3", "all"]))
    most = 9 if windows == "3x3" else 1024
    return PSC(draw(st.integers(1, most)), draw(st.integers(0, 2**64 - 1)), windows)


plain = st.one_of(st.just(Dense()), st.composite(psconv_values)(), st.composite(psc_values)())
globs = st.text(st.characters(exclude_characters="=;", exclude_categories=["Cs"]), min_size=1).filter(
    lambda glob: glob == glob.strip()
)
rules = st.lists(st.tuples(globs, plain), min_size=1, max_size=4).map(lambda pairs: Rules(tuple(pairs)))


@settings(deadline=None, max_examples=300)
@given(st.one_of(plain, rules))
def test_what_is_written_is_read_back(scheme):
    assert parse_scheme(str(scheme)) == scheme
    assert hash(parse_scheme(str(scheme))) == hash(scheme)
    assert str(parse_scheme(str(scheme))) == str(scheme)


@settings(deadline=None, max_examples=200)
@given(st.lists(plain, min_size=1, max_size=5), st.sampled_from([",", " , ", ",\n  "]))
def test_lists_are_read_back(schemes, comma):
    assert parse_schemes(comma.join(map(str, schemes))) == tuple(schemes)
    assert parse_schemes(schemes) == tuple(schemes)


@pytest.mark.parametrize(
    ("text", "schemes"),
    [
        ("dense", "dense"),
        ("psconv", "psconv:PSD4_P8"),
        ("psc", "psc:kss=4,seed=0"),
        ("psconv:PSD4_P8", "psconv:PSD4_P8"),
        ("psconv:psd4_p8", "psconv:PSD4_P8"),
        ("psconv:PSD04_P008", "psconv:PSD4_P8"),
        (" psconv : PSD4_P8 , windows = all ", "psconv:PSD4_P8,windows=all"),
        ("psconv:kss=2", "psconv:PSD2_P8"),
        ("psconv:kss=2,period=6,dense=0", "psconv:PS2_P6"),
        ("psconv:dense=0,period=6,kss=2", "psconv:PS2_P6"),
        ("psconv:windows=3x3", "psconv:PSD4_P8"),
        ("psconv,kss=1", "psconv:PSD1_P8"),
        ("psconv,dense", "psconv:PSD4_P8|dense"),
        ("dense,psconv:PSD4_P8,psconv:kss=2,period=6", "dense|psconv:PSD4_P8|psconv:PSD2_P6"),
        ("psc:kss=2,psconv,kss=2,dense=0,psc,seed=7", "psc:kss=2,seed=0|psconv:PS2_P8|psc:kss=4,seed=7"),
        ("psconv:PS2_P6,windows=all,dense", "psconv:PS2_P6,windows=all|dense"),
        ("a.*=psconv", "a.*=psconv:PSD4_P8"),
        ("a.*=psconv;", "a.*=psconv:PSD4_P8"),
        ("a.*=psconv;b=psc:kss=2,seed=3", "a.*=psconv:PSD4_P8; b=psc:kss=2,seed=3"),
        (" a = psconv:kss=2 , period=6 ; * = dense ", "a=psconv:PSD2_P6; *=dense"),
        ("a:0=dense;", "a:0=dense;"),
        ("a,b=dense;", "a,b=dense;"),
        ("/a/Conv=dense; b:1=psc", "/a/Conv=dense; b:1=psc:kss=4,seed=0"),
    ],
)
def test_meaning(text, schemes):
    assert "|".join(str(scheme) for scheme in parse_schemes(text)) == schemes


def test_the_values_behind_a_name():
    assert parse_scheme("psconv:PSD2_P16") == PSConv(2, 16, 1)
    assert parse_scheme("psconv:PS1_P9,windows=all") == PSConv(1, 9, 0, "all")
    assert parse_scheme("psc:seed=3,kss=5") == PSC(5, 3)


def test_several_of_several_kinds():
    found = parse_schemes(["dense,psconv", "a.*=psc; b=dense", PSC(2), ("psconv:PS4_P4",)[0]])
    assert [str(s) for s in found] == [
        "dense",
        "psconv:PSD4_P8",
        "a.*=psc:kss=4,seed=0; b=dense",
        "psc:kss=2,seed=0",
        "psconv:PS4_P4",
    ]
    assert parse_schemes(iter(["dense"])) == (Dense(),)
    assert parse_schemes(()) == ()
    assert parse_schemes(Dense()) == (Dense(),)
    assert parse_scheme(PSC(2)) == PSC(2)


ERRORS = [
    ("", "'' names no scheme: write dense, psconv, psconv:PSD4_P8, ..."),
    (" \t", "names no scheme"),
    (",,", "',,' names no scheme"),
    ("dense,,psconv", "'dense,,psconv' has an empty item"),
    ("dense,", "'dense,' has an empty item"),
    ("psvonv", "unknown scheme 'psvonv'; did you mean 'psconv'?"),
    ("PSConv", "unknown scheme 'PSConv'; did you mean 'psconv'?"),
    ("xyzzy", "unknown scheme 'xyzzy' (known: "),
    ("PSD4_P8", "unknown scheme 'PSD4_P8'; did you mean 'psconv:PSD4_P8'?"),
    ("psconv:kss=2,PS4_P4", "did you mean 'psconv:PS4_P4'?"),
    ("psconv:", "nothing stands behind the colon of 'psconv:': write 'psconv' alone"),
    ("psconv: ,dense", "nothing stands behind the colon"),
    (":kss=2", "unknown scheme ''"),
    ("dense:x=1", "scheme 'dense' has no parameter 'x' (it takes no parameters)"),
    ("dense,kss=1", "scheme 'dense' has no parameter 'kss'"),
    ("psconv:PSD4P8", "psconv has no variant 'PSD4P8'; did you mean 'PSD4_P8'? (there are PS4_P4, PS2_P6,"),
    ("psconv:qqq", "psconv has no variant 'qqq' (there are"),
    ("psconv:PSD\u0664_P8", "psconv has no variant"),
    (
        "psconv:perod=8",
        "scheme 'psconv' has no parameter 'perod'; did you mean 'period'? (it takes kss=1|2|4,",
    ),
    ("psconv:=8", "scheme 'psconv' has no parameter ''"),
    ("psconv:kss", "parameter 'kss' of scheme 'psconv' needs a value: kss=1|2|4"),
    ("psconv:kss=", "parameter 'kss' of scheme 'psconv' needs a value: kss=1|2|4"),
    ("psconv:kss=2,kss=2", "parameter 'kss' of scheme 'psconv' is given twice"),
    (
        "psconv:kss=10",
        "psconv has supports for kss 1, 2 and 4, not 10; random supports of any size are psc:kss",
    ),
    ("psconv:kss=0", "psconv has supports for kss 1, 2 and 4, not 0"),
    ("psconv:kss=3", "psconv has supports for kss 1, 2 and 4, not 3"),
    ("psconv:PSD3_P8", "psconv has supports for kss 1, 2 and 4, not 3"),
    ("psconv:kss=four", "kss of scheme 'psconv' is a whole number of up to 20 digits, not 'four'"),
    ("psconv:kss=4.0", "whole number of up to 20 digits, not '4.0'"),
    ("psconv:kss=\u0664", "whole number of up to 20 digits"),
    ("psconv:kss=\u00b2", "whole number of up to 20 digits"),
    ("psconv:kss=+4", "whole number of up to 20 digits"),
    ("psconv:kss=0x4", "whole number of up to 20 digits"),
    ("psconv:kss=1_0", "whole number of up to 20 digits"),
    ("psconv:period=0", "period of scheme 'psconv' is a whole number from 1 to 64, not 0"),
    ("psconv:period=65", "period of scheme 'psconv' is a whole number from 1 to 64, not 65"),
    ("psconv:period=-8", "period of scheme 'psconv' is a whole number from 1 to 64, not -8"),
    ("psconv:PS4_P0", "from 1 to 64, not 0"),
    ("psconv:PSD4_P" + "9" * 5000, "up to 20 digits, not '99999"),
    ("psconv:period=" + "9" * 5000, "up to 20 digits, not '99999"),
    ("psconv:PSD4_P1", "psconv with a dense slot and period 1 has no sparse slot: write dense"),
    ("psconv:dense=2", "dense of scheme 'psconv' is a whole number from 0 to 1, not 2"),
    ("psconv:windows=al", "windows of scheme 'psconv' is 3x3 or all, not 'al'; did you mean 'all'?"),
    ("psconv:windows=5x5", "windows of scheme 'psconv' is 3x3 or all, not '5x5'"),
    ("psconv:PSD4_P8,kss=2", "psconv: PSD4_P8 already says what kss is"),
    (
        "psconv:PSD4_P8,patterns=x.yaml",
        "psconv: a pattern file says all, 'PSD4_P8' cannot be given beside it",
    ),
    ("psconv:kss=4,patterns=x.yaml", "psconv: a pattern file says all, 'kss' cannot be given beside it"),
    ("psconv:patterns=none.yaml", "pattern file 'none.yaml' cannot be read: No such file"),
    ("psconv:patterns=a\0b", "pattern file 'a\\x00b' cannot be read: embedded null byte"),
    ("psconv:patterns=\ud800", "cannot be read"),
    ("psc:kss=0", "kss of scheme 'psc' is a whole number from 1 to 9, not 0"),
    ("psc:kss=10", "kss of scheme 'psc' is a whole number from 1 to 9, not 10"),
    ("psc:kss=1025,windows=all", "kss of scheme 'psc' is a whole number from 1 to 1024, not 1025"),
    ("psc:seed=-1", "seed of scheme 'psc' is a whole number from 0 to 18446744073709551615, not -1"),
    (
        "psc:seed=18446744073709551616",
        "seed of scheme 'psc' is a whole number from 0 to 18446744073709551615",
    ),
    ("psc:sed=1", "scheme 'psc' has no parameter 'sed'; did you mean 'seed'?"),
    (";", "a rule is GLOB=SCHEME, not ''"),
    ("a=psconv;;b=dense", "a rule is GLOB=SCHEME, not ''"),
    ("psconv;dense", "a rule is GLOB=SCHEME, not 'psconv'"),
    ("a.*=", "a rule is GLOB=SCHEME, not 'a.*='"),
    ("=dense", "a rule is GLOB=SCHEME, not '=dense'"),
    ("a=b=psconv", "rule 'a=b=psconv': 'b=psconv' is a rule again"),
    ("=".join("a" * 5000), "is a rule again"),
    ("a=psvonv", "rule 'a=psvonv': unknown scheme 'psvonv'; did you mean 'psconv'?"),
    ("kss=2", "rule 'kss=2': unknown scheme '2' (known: "),
    ("a=dense,psconv", "rule 'a=dense,psconv': one scheme is wanted here, 'dense,psconv' names 2"),
    (
        "a=dense; b=psconv:perod=8",
        "rule 'b=psconv:perod=8': scheme 'psconv' has no parameter 'perod'; did you",
    ),
]


@pytest.mark.parametrize(("text", "message"), ERRORS, ids=[ascii(text)[:40] for text, _ in ERRORS])
def test_mistakes(text, message):
    with pytest.raises(EnergysimError) as caught:
        parse_schemes(text)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 400
    assert isinstance(caught.value, SchemeError | UnknownNameError)


@pytest.mark.parametrize("given", [5, None, b"dense", [None], [["dense"]], object()])
def test_things_that_are_no_schemes(given):
    with pytest.raises(SchemeError, match="a scheme is text or a Scheme object, not "):
        parse_schemes(given)


def test_one_scheme_is_wanted():
    with pytest.raises(SchemeError, match="one scheme is wanted here, 'dense,psc' names 2"):
        parse_scheme("dense,psc")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PSConv(3), "kss 1, 2 and 4, not 3"),
        (lambda: PSConv(True), "kss 1, 2 and 4, not True"),
        (lambda: PSConv(4, 65), "from 1 to 64, not 65"),
        (lambda: PSConv(4, 8.0), "from 1 to 64, not 8.0"),
        (lambda: PSConv(4, 8, True), "from 0 to 1, not true"),
        (lambda: PSConv(4, 8, 1, "5x5"), "3x3 or all"),
        (lambda: PSConv(4, 8, 1, 5), "3x3 or all"),
        (lambda: PSConv(2, patterns=Patterns((3, 3), ((0,),), "f")), "nothing can be given beside it"),
        (lambda: PSC(10), "from 1 to 9, not 10"),
        (lambda: PSC(4, 2**64), "from 0 to"),
        (lambda: PSC(4, "1"), "whole number from 0"),
        (lambda: Rules(()), "no rule given"),
        (lambda: Rules((("", Dense()),)), "the glob '' of a rule is empty"),
        (lambda: Rules(((" a", Dense()),)), "spaces around"),
        (lambda: Rules((("a=b", Dense()),)), "'\\?' matches any character"),
        (lambda: Rules((("a", Rules((("b", Dense()),))),)), "gives rules again"),
    ],
)
def test_values_are_checked_like_text(make, message):
    with pytest.raises(SchemeError, match=message):
        make()


# --- rules on a network ---------------------------------------------------------------------


def made_by(text, net="vgg16-cifar10"):
    rewrite = parse_scheme(text).apply(load_model(net))
    assert list(rewrite.trace) == [node.name for node in load_model(net)]
    return {n: o.scheme for n, o in rewrite.trace.items() if o.scheme != "dense"}, rewrite


def test_first_match_wins():
    made, rewrite = made_by("features.conv5_*=dense; features.conv[45]*=psc:kss=2; *=psconv:PS4_P4")
    assert {n for n, s in made.items() if s == "psc:kss=2,seed=0"} == {
        f"features.conv4_{i}" for i in (1, 2, 3)
    }
    assert {n for n, s in made.items() if s == "psconv:PS4_P4"} == {
        f"features.conv{i}" for i in ("1_2", "2_1", "2_2", "3_1", "3_2", "3_3")
    }
    assert rewrite.left == (
        Left("features.conv1_1", "first convolution"),
        Left("classifier.fc", "linear layer"),
    )
    assert rewrite.assumed == ("psconv:PS4_P4: the order of its supports in a period is not published",)


def test_unmatched_layers_stay_dense():
    made, rewrite = made_by("features.conv5_3=psconv")
    assert made == {"features.conv5_3": "psconv:PSD4_P8"}
    assert {entry.reason for entry in rewrite.left} == {"no rule"}
    assert len(rewrite.left) == 13


def test_a_rule_makes_what_the_scheme_makes():
    graph = load_model("resnet18-cifar10")
    for text in ("psconv:PSD2_P8", "psc:kss=3"):
        alone, ruled = parse_scheme(text).apply(graph), parse_scheme(f"*={text}").apply(graph)
        assert ruled.graph.nodes == alone.graph.nodes
        assert (ruled.trace, ruled.left, ruled.assumed) == (alone.trace, alone.left, alone.assumed)


def test_the_same_assumption_is_stated_once():
    _, rewrite = made_by("features.conv5_*=psconv:PS1_P9; *=psconv:PS1_P9")
    assert len(rewrite.assumed) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "feature.*=psconv",
            "rule 'feature.*' matches no layer with weights of 'vgg16-cifar10'; did you mean "
            "'features.*'? (its layers are features.conv1_1, features.conv1_2, features.conv2_1, ..., "
            "features.conv5_3, classifier.fc)",
        ),
        (
            "*=dense; qqq=psconv",
            "rule 'qqq' matches no layer with weights of 'vgg16-cifar10' (its layers are",
        ),
        ("Features.*=dense", "rule 'Features.*' matches no layer"),
        ("features.[=dense", "rule 'features.[' matches no layer"),
        ("clasifier.fc=dense", "did you mean 'classifier.fc'?"),
        ("features.pool1=dense", "matches no layer with weights"),
    ],
)
def test_globs_that_match_nothing(text, message):
    with pytest.raises(SchemeError) as caught:
        parse_scheme(text).apply(load_model("vgg16-cifar10"))
    assert message in str(caught.value)


def test_rules_obey_only():
    graph = load_model("vgg16-cifar10")
    rewrite = parse_scheme("*=psconv").apply(graph, ["features.conv5_1"])
    assert {n for n, o in rewrite.trace.items() if o.scheme != "dense"} == {"features.conv5_1"}


# --- plug-ins -------------------------------------------------------------------------------


class Other(Scheme):
    def __init__(self, text):
        self.text = text

    def __str__(self):
        return f"other:{self.text}"

    def apply(self, graph, only=None):
        return Dense().apply(graph)


def refuses(text):
    raise SchemeError(f"other cannot {text}")


def breaks(text):
    raise ZeroDivisionError("by design")


def gives_text(text):
    return "a scheme?"


@pytest.fixture
def plugged(monkeypatch):
    points = [
        EntryPoint(name, f"{__name__}:{target}", "energysim.schemes")
        for name, target in {
            "other": "Other",
            "refuses": "refuses",
            "breaks": "breaks",
            "gives_text": "gives_text",
            "gone": "no_such_thing",
            "psconv": "breaks",
        }.items()
    ]
    monkeypatch.setattr(Registry, "_entry_points", lambda self: points if self.kind == "scheme" else [])


@pytest.mark.usefixtures("plugged")
def test_plug_ins():
    found = parse_schemes("other:a=1,b=2,dense,other")
    assert [str(s) for s in found] == ["other:a=1,b=2", "dense", "other:"]
    assert isinstance(parse_scheme("psconv"), PSConv)  # a built-in cannot be replaced
    names = [info.name for info in SCHEMES.list()]
    assert names[: len(SCHEMES.builtin) + 1] == [*sorted(SCHEMES.builtin), "breaks"]


@pytest.mark.usefixtures("plugged")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("oter", "unknown scheme 'oter'; did you mean 'other'?"),
        ("refuses:x", "other cannot x"),
        ("breaks:x", "plug-in 'breaks' failed on 'breaks:x': ZeroDivisionError: by design"),
        ("gives_text", "plug-in 'gives_text' made a str, not a scheme"),
        ("gone", "scheme 'gone' of an unknown package cannot be loaded: AttributeError"),
    ],
)
def test_plug_ins_that_fail(text, message):
    with pytest.raises(EnergysimError) as caught:
        parse_schemes(text)
    assert message in str(caught.value)


def test_an_error_of_our_own_code_is_not_hidden(monkeypatch):
    monkeypatch.setattr("energysim.schemes.psc.KIND", breaks)
    with pytest.raises(ZeroDivisionError):
        parse_schemes("psc")


# --- whatever is typed ----------------------------------------------------------------------

VALID = [text for text, _ in ERRORS if len(text) < 100] + [
    "dense,psconv:PSD4_P8,psconv:kss=2,period=6",
    "features.*=psconv; classifier.*=dense",
    "psc:kss=3,seed=12,windows=all",
    "a.*=psc:kss=2; b:0=psconv:PS1_P9,windows=all;",
]
PIECES = [
    *"=:;, \n\0*[./\\\u0664\ud800",
    *("psconv", "psc", "dense", "kss", "period", "PSD4_P8", "patterns", "windows", "all"),
    *("-1", "9" * 30, "%s", "{}"),
]


@st.composite
def mutated(draw):
    text = draw(st.sampled_from(VALID))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        stop = draw(st.integers(start, min(len(text), start + 4)))
        text = text[:start] + draw(st.sampled_from(["", *PIECES])) + text[stop:]
    return text


@pytest.fixture(scope="module")
def no_plug_ins():
    """Looking through all installed packages takes milliseconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Registry, "_entry_points", lambda self: [])
        yield


@settings(deadline=None, max_examples=800)
@given(st.one_of(mutated(), mutated(), st.lists(st.sampled_from(PIECES)).map("".join), st.text()))
def test_any_text_gives_schemes_or_our_own_error(no_plug_ins, text):
    try:
        found = parse_schemes(text)
    except EnergysimError as error:
        assert str(error)
        return
    assert found
    for scheme in found:
        assert parse_scheme(str(scheme)) == scheme


def test_a_rule_that_never_applies_is_an_error() -> None:
    graph = load_model("resnet18-cifar10")
    with pytest.raises(SchemeError, match=r"rule 'layer1\.0\.\*' never applies"):
        parse_scheme("layer1.*=psconv; layer1.0.*=dense").apply(graph)
