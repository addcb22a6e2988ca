"""The collector is held off, and left as it was."""

import gc

import pytest

from archcalc.collection import MANY_OBJECTS, no_collection


@pytest.fixture(autouse=True)
def enabled():
    gc.enable()
    yield
    gc.unfreeze()
    gc.enable()


def test_it_is_off_inside_and_on_again_after_a_mistake():
    seen = []

    @no_collection()
    def mistaken():
        seen.append(gc.isenabled())
        raise KeyError

    with pytest.raises(KeyError):
        mistaken()
    assert seen == [False]
    assert gc.isenabled()


def test_who_has_it_off_keeps_it_off():
    gc.disable()
    with no_collection():
        pass
    assert not gc.isenabled()


@pytest.mark.parametrize(("count", "is_old"), [(10, False), (MANY_OBJECTS + 1000, True)])
def test_very_many_are_old_at_once(count, is_old):
    gc.collect()
    with no_collection():
        made = [[] for _ in range(count)]
    assert any(one is made for one in gc.get_objects(generation=2)) is is_old


def test_what_others_have_frozen_stays_frozen():
    gc.freeze()
    before = gc.get_freeze_count()
    with no_collection():
        made = [[] for _ in range(MANY_OBJECTS + 1000)]
    assert len(made) > 0
    assert gc.get_freeze_count() == before
