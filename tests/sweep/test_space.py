"""Sweeps: every point is what the table says there, exactly, however many points there are."""

from __future__ import annotations

from fractions import Fraction

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import archcalc
from archcalc.errors import SpecError
from archcalc.sweep.arrays import SymbolValues
from archcalc.sweep.selection import best, front, joined
from archcalc.sweep.space import Sweep, SweepPlan, parse_axis
from archcalc.sweep.workers import results
from archcalc.symbolic.polynomials import Polynomial, Symbol


def columns(plan: SweepPlan) -> dict:
    return joined([result.columns for result in results(plan)])


def plan(network: str, *over: str, **options) -> SweepPlan:
    return SweepPlan(network, tuple(map(parse_axis, over)), **options)


def test_every_point_is_the_table():
    """MobileNetV2 decides differently at different widths (rounding to multiples of 8, `max(1, width)`)."""
    swept = plan("mobilenet_v2", "width=0.1:1.6:0.15", "H=96:224:64", quantities=("params", "macs", "memory"))
    found = columns(swept)
    assert len(found["macs"]) == 11 * 3
    for at in range(len(found["macs"])):
        width, size = Fraction(int(found["width"][at]), swept.axes[0].scale), int(found["H"][at])
        totals = archcalc.load("mobilenet_v2", input=(3, size, size), width=width).analyze().totals
        assert (found["params"][at], found["macs"][at], found["memory"][at]) == (
            totals.params,
            totals.macs,
            totals.memory,
        )


def test_pieces_of_any_size_are_the_whole():
    over = ("H=60:70", "width=8,16,24", "block=basic,bottleneck")
    whole = columns(plan("resnet", *over))
    points = set(zip(*(whole[name].tolist() for name in whole), strict=True))

    @settings(max_examples=6)
    @given(chunk=st.integers(1, 40), seed=st.integers(0, 100))
    def pieces(chunk, seed):
        parts = columns(plan("resnet", *over, chunk=chunk))
        for name in whole:
            assert (whole[name] == parts[name]).all()
        sampled = columns(plan("resnet", *over, chunk=chunk, sample=25, seed=seed))
        assert len(sampled["H"]) == 25
        assert set(zip(*(sampled[name].tolist() for name in sampled), strict=True)) <= points

    pieces()


def test_sizes_that_do_not_fit_are_left_out_and_counted():
    """AlexNet's smallest image is 63 pixels wide: the table refuses 62."""
    (result,) = results(plan("alexnet", "H=1:80"))
    assert (result.points, result.refused, result.columns["H"][0]) == (80, 62, 63)
    assert "the kernel spans" in result.message
    with pytest.raises(SpecError):
        archcalc.load("alexnet", input=(3, 62, 62))


def test_numbers_that_make_no_network_are_left_out():
    """Half a channel, no group, fewer than no channels."""
    swept = plan("resnet50", "width=-1,0,0.5,16,16.5,64", "groups=0,1", "base_width=64")
    (result,) = results(swept)
    assert (result.points, result.refused) == (12, 10)
    assert (result.columns["width"] / swept.axes[0].scale).tolist() == [16, 64]
    assert result.columns["params"].tolist() == [
        archcalc.load("resnet50", width=width).analyze().totals.params for width in (16, 64)
    ]


def test_conditions():
    kept = columns(plan("resnet50", "H=32:512:32", "width=16:128:16", keep=("macs <= 4.2e9", "params > 20e6")))
    every = columns(plan("resnet50", "H=32:512:32", "width=16:128:16"))
    expected = (every["macs"] <= 4_200_000_000) & (every["params"] > 20_000_000)
    assert 0 < expected.sum() < len(expected)
    for name in every:
        assert (kept[name] == every[name][expected]).all()


def test_numbers_never_wrap_around():
    """Beyond 64 bits, the numbers are Python's own."""
    found = columns(plan("vgg16", "H=4194304,8388608,67108864", quantities=("macs",)))
    assert found["macs"].dtype == object
    for size, macs in zip(found["H"], found["macs"], strict=True):
        assert macs == archcalc.load("vgg16", input=(3, int(size), int(size))).analyze().totals.macs
    assert max(found["macs"]) > 2**63


@given(st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9), st.integers(1, 10**6), st.integers(1, 10**6))
def test_arrays_are_exact(one, other, x, y):
    a, b = Symbol("a"), Symbol("b")
    polynomial = Polynomial.of(a).times(one) * Polynomial.of(b) ** 2 + Polynomial.of(b).times(other)
    block = SymbolValues({a: numpy.array([[x]]), b: numpy.array([[y]])}, (1, 1))
    assert block.evaluate(polynomial).item() == one * x * y**2 + other * y


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(0, 12)), min_size=1, max_size=40))
def test_the_front_is_what_nothing_is_better_than(points):
    table = dict(zip("abc", numpy.array(points).T, strict=True))
    for measures in (["a", "b"], ["a", "-b", "c"]):
        signs = [(name[-1], -1 if name[0] == "-" else 1) for name in measures]
        costs = [tuple(sign * point["abc".index(name)] for name, sign in signs) for point in points]
        expected = [
            point
            for point, cost in zip(points, costs, strict=True)
            if not any(all(o <= c for o, c in zip(other, cost, strict=True)) and other != cost for other in costs)
        ]
        found = front(table, measures)
        assert list(zip(*(found[name].tolist() for name in "abc"), strict=True)) == expected


def test_best_of_each_group():
    table = {"H": numpy.array([1, 2, 1, 2]), "w": numpy.array([5, 6, 7, 4])}
    assert best(table, "w", ["H"])["w"].tolist() == [7, 6]
    assert best(table, "-w", [])["w"].tolist() == [4]


def test_processes_give_the_same():
    swept = plan("resnet18", "H=64:128:32", "width=8:64:8", chunk=7)
    here = columns(swept)
    there = joined([result.columns for result in results(swept, jobs=2)])
    for name in here:
        assert (here[name] == there[name]).all()


def test_a_dask_cluster_gives_the_same():
    distributed = pytest.importorskip("distributed")
    swept = plan("resnet18", "H=64:128:32", "width=8:64:8", chunk=7)
    here = columns(swept)
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        there = joined([result.columns for result in results(swept, dask=cluster.scheduler_address)])
    for name in here:
        assert (here[name] == there[name]).all()


def test_axes():
    assert parse_axis("width=0.25:1:0.25").values == (Fraction(1, 4), Fraction(1, 2), Fraction(3, 4), 1)
    assert parse_axis("depths=[2,2,2,2],[3,4,6,3]").values == ((2, 2, 2, 2), (3, 4, 6, 3))
    assert parse_axis("block=basic,bottleneck").values == ("basic", "bottleneck")


@pytest.mark.parametrize("text", ["H", "H=", "H=5:1", "H=1:5:0", "H=1:x", "H=1:1e30", "=3"])
def test_wrong_axes_are_refused(text):
    with pytest.raises(SpecError):
        parse_axis(text)


def test_memory_is_bounded():
    """A piece never has more points than its chunk, whatever the grid."""
    swept = plan("resnet50", "H=64:10063", "width=1:10000", "groups=1,2")
    assert swept.points == 200_000_000
    sweep = Sweep(swept)
    result = sweep.compute(next(iter(swept.chunks())))
    assert result.points <= swept.chunk
