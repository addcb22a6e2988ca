"""What a device can do at most: read from a file, or measured by `runtime.calibration`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from archcalc.analysis.counting import ITEM_SIZES
from archcalc.errors import UserError
from archcalc.words import did_you_mean, quote

FOLDER = Path(__file__).parent / "profiles"
MOST_BYTES = 100_000


@dataclass(frozen=True)
class DeviceProfile:
    """A device's limits."""

    name: str
    source: str
    """Where the figures are from."""
    peak_flops: Mapping[str, float]
    """Name of a dtype to FLOP/s, a multiply-add being two."""
    bandwidth: float
    """Bytes per second between the device and its memory."""
    overhead: float = 0.0
    """Seconds that an operation takes at least, however small."""

    def peak(self, dtype: str) -> float:
        """FLOP/s in a dtype; `UserError` where the profile does not know it."""
        try:
            return self.peak_flops[dtype]
        except KeyError:
            known = ", ".join(self.peak_flops)
            raise UserError(f"the profile of {self.name} has no peak for {quote(dtype)}, only for {known}") from None

    def to_json(self) -> str:
        """The text that `find_profile` reads."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"


@cache
def profile_names() -> tuple[str, ...]:
    """The profiles that come with archcalc."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.json")))


def find_profile(reference: str) -> DeviceProfile:
    """The profile of that name, or in that file.

    Raises `UserError` where there is none, or what the file says is no profile.
    """
    name = reference.lower()
    if name in profile_names():
        return _read(FOLDER / f"{name}.json")
    if not reference.endswith(".json"):
        hint = did_you_mean(name, profile_names()) or f"; there are {', '.join(profile_names())}, or a .json file"
        raise UserError(f"there is no device profile {quote(reference)}{hint}")
    return _read(Path(reference))


def _read(path: Path) -> DeviceProfile:
    with path.open("rb") as stream:
        content = stream.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise UserError(f"{quote(str(path))} is no device profile: it is longer than {MOST_BYTES:,} bytes")
    try:
        return _checked(json.loads(content))
    except (ValueError, RecursionError) as error:
        reason = "it is not JSON" if isinstance(error, (json.JSONDecodeError, UnicodeError, RecursionError)) else error
        raise UserError(f"{quote(str(path))} is no device profile: {reason}") from error


def _checked(data: Any) -> DeviceProfile:
    if not isinstance(data, dict):
        raise UserError("it is no object with name, source, peak_flops and bandwidth")
    known = DeviceProfile.__dataclass_fields__
    for key in data:
        if key not in known:
            raise UserError(f"it has an unknown key {quote(key)}{did_you_mean(key, known)}")
    peaks = data.get("peak_flops")
    if not isinstance(peaks, dict) or not peaks:
        raise UserError("peak_flops must be an object: a dtype's name to FLOP/s")
    for dtype in peaks:
        if dtype not in ITEM_SIZES:
            raise UserError(f"peak_flops has an unknown dtype {quote(dtype)}{did_you_mean(dtype, ITEM_SIZES)}")
    texts = {key: data.get(key, "") for key in ("name", "source")}
    if not all(isinstance(text, str) for text in texts.values()) or not texts["name"]:
        raise UserError("name and source must be texts, and name must not be empty")
    return DeviceProfile(
        **texts,
        peak_flops={dtype: _positive(f"peak_flops of {dtype}", value) for dtype, value in peaks.items()},
        bandwidth=_positive("bandwidth", data.get("bandwidth")),
        overhead=0.0 if data.get("overhead", 0) == 0 else _positive("overhead", data["overhead"]),
    )


def _positive(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e30 or math.isnan(value):
        raise UserError(f"{name} must be a number above 0")
    return float(value)
