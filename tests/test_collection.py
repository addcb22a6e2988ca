"""The collector is paused, and left as it was."""

import gc

import pytest

from archcalc.collection import no_collection


@pytest.fixture(autouse=True)
def enabled():
    gc.enable()
    yield
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
