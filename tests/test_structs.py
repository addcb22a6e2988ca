"""Structs behave as the frozen dataclasses that type checkers take them for."""

import copy
import pickle
import pkgutil
from collections.abc import Callable
from dataclasses import Field, FrozenInstanceError, asdict, dataclass
from dataclasses import replace as dataclass_replace
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import pytest

import archcalc
from archcalc.structs import Struct, replace


class Window(Struct):
    kernel: int
    stride: int = 1
    show: Callable[[int], str] = lambda size: str(size)
    note: str = ""
    most: ClassVar[int] = 3
    ignored = ("note",)

    @cached_property
    def area(self) -> int:
        return self.kernel**2


class Padded(Window):
    padding: int = 0

    def __post_init__(self) -> None:
        if self.padding > self.kernel:
            raise ValueError("too much padding")


@dataclass(frozen=True)
class Plain:
    kernel: int
    stride: int = 1
    padding: int = 0


class Same(Struct):
    kernel: int
    stride: int = 1
    padding: int = 0


class Empty(Struct):
    pass


class Holder(Struct):
    held: Any


CALLS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((), {}),
    ((1,), {}),
    ((1, 2), {"padding": 3}),
    ((1, 2, 3), {}),
    ((1, 2, 3, 4), {}),
    ((1, 2), {"kernel": 1}),
    ((1,), {"dilation": 2}),
    ((1, 2, 3), {"dilation": 2}),
    ((1, 2, 3), {"padding": 3}),
    ((), {"stride": 2}),
    ((), {"padding": 1, "kernel": 2}),
]


@pytest.mark.parametrize(("values", "named"), CALLS)
def test_takes_what_a_dataclass_takes(values: tuple[Any, ...], named: dict[str, Any]) -> None:
    try:
        plain = Plain(*values, **named)
    except TypeError:
        with pytest.raises(TypeError, match="expected Same"):
            Same(*values, **named)
        return
    same = Same(*values, **named)
    assert repr(same).removeprefix("Same") == repr(plain).removeprefix("Plain")
    assert (same == Same(1, 2, 3)) is (plain == Plain(1, 2, 3))
    assert repr(replace(same, stride=7)).removeprefix("Same") == repr(dataclass_replace(plain, stride=7))[5:]
    assert asdict(same) == vars(plain)
    assert dataclass_replace(same, stride=7) == replace(same, stride=7)


def test_is_immutable() -> None:
    window = Window(3)
    with pytest.raises(AttributeError, match="Window cannot change"):
        window.kernel = 5  # type: ignore[misc]
    with pytest.raises(AttributeError):
        del window.kernel
    assert issubclass(FrozenInstanceError, AttributeError)
    assert window.area == 9


def test_equality_and_hash() -> None:
    assert Window(3, note="a") == Window(3, note="b")
    assert len({Window(3, note="a"), Window(3, note="b"), Window(5)}) == 2
    assert Window(3) != Padded(3)
    assert Empty() == Empty()
    assert Empty() != Window(3)
    assert "note" not in repr(Window(3))


def test_a_default_that_is_a_function_is_no_method() -> None:
    assert Window(3).show(7) == "7"


def test_subclass_has_the_fields_of_its_base_first() -> None:
    assert Padded(3, 2, padding=1).padding == 1
    assert Padded.__match_args__ == ("kernel", "stride", "show", "note", "padding")
    with pytest.raises(ValueError, match="too much"):
        replace(Padded(3), padding=4)


def test_copies_and_pickles() -> None:
    same = Same(3, padding=1)
    assert copy.copy(same) == same
    assert pickle.loads(pickle.dumps(same)) == same


def test_nested_structs_become_plain_data() -> None:
    first, second = ({"kernel": kernel, "stride": 1, "padding": 0} for kernel in (1, 2))
    assert asdict(Holder({"a": (Same(1), [Same(2)])})) == {"held": {"a": (first, [second])}}


def test_no_class_of_the_package_is_a_frozen_dataclass() -> None:
    files = Path(archcalc.__file__).parent.rglob("*.py")
    frozen = [
        file.name
        for file in files
        if "@dataclass(frozen" in (text := file.read_text("utf-8")) and "metadata=" not in text
    ]
    assert frozen == []


def test_no_default_is_a_field_of_a_dataclass() -> None:
    """A struct takes it for the value itself."""
    for module in pkgutil.walk_packages(archcalc.__path__, "archcalc."):
        if not module.name.startswith(("archcalc.serve", "archcalc.runtime", "archcalc.imports")):
            import_module(module.name)
    every = [Struct]
    for kind in every:
        every += kind.__subclasses__()
    assert len(every) > 50
    assert [kind for kind in every if any(isinstance(value, Field) for value in kind._defaults.values())] == []
