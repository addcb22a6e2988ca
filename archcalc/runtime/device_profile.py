"""Peak rates of a device: read from a file, or measured by `runtime.calibration`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from archcalc.dtypes import BITS
from archcalc.errors import UserError
from archcalc.structs import Struct
from archcalc.words import did_you_mean, help_line, quote

FOLDER = Path(__file__).parent / "profiles"
MAX_BYTES = 100_000


class DeviceProfile(Struct):
    """Peak rates of a device: FLOP/s per dtype, memory bandwidth, and minimum time per operation."""

    name: str
    source: str
    """Where the numbers are from."""
    peak_flops: Mapping[str, float]
    """Dtype to FLOP/s, where a multiply-add is two."""
    bandwidth: float
    """Bytes per second between the device and its memory."""
    overhead: float = 0.0
    """Minimum seconds of an operation."""

    def peak(self, dtype: str) -> float:
        """Return the FLOP/s in a dtype; raise `UserError` if the profile does not have it."""
        try:
            return self.peak_flops[dtype]
        except KeyError:
            known = ", ".join(self.peak_flops)
            raise UserError(
                f"the profile of {self.name} has no peak for {quote(dtype)}{help_line(f'use one of: {known}')}"
            ) from None

    def to_json(self) -> str:
        """Return the JSON that `find_profile` reads."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"


@cache
def profile_names() -> tuple[str, ...]:
    """Return the names of the bundled profiles."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.json")))


def find_profile(reference: str) -> DeviceProfile:
    """Return a bundled profile by name, or the profile in a JSON file.

    Raises:
        UserError: if there is none, or if the file is not a device profile.
    """
    name = reference.lower()
    if name in profile_names():
        return _read(FOLDER / f"{name}.json")
    if not reference.endswith(".json"):
        hint = did_you_mean(name, profile_names()) or help_line(
            f"use one of: {', '.join(profile_names())}, or a .json file"
        )
        raise UserError(f"there is no device profile {quote(reference)}{hint}")
    return _read(Path(reference))


def _read(path: Path) -> DeviceProfile:
    with path.open("rb") as stream:
        content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise UserError(f"{quote(str(path))} is not a device profile: it is longer than {MAX_BYTES:,} bytes")
    try:
        return _checked(json.loads(content))
    except (ValueError, RecursionError) as error:
        reason = "it is not JSON" if isinstance(error, (json.JSONDecodeError, UnicodeError, RecursionError)) else error
        raise UserError(f"{quote(str(path))} is not a device profile: {reason}") from error


def _checked(data: Any) -> DeviceProfile:
    if not isinstance(data, dict):
        raise UserError("expected an object with name, source, peak_flops and bandwidth")
    known = DeviceProfile.__match_args__
    for key in data:
        if key not in known:
            raise UserError(f"unknown key {quote(key)}{did_you_mean(key, known)}")
    peaks = data.get("peak_flops")
    if not isinstance(peaks, dict) or not peaks:
        raise UserError("peak_flops must be an object from dtypes to FLOP/s")
    for dtype in peaks:
        if dtype not in BITS:
            raise UserError(f"unknown dtype {quote(dtype)} in peak_flops{did_you_mean(dtype, BITS)}")
    texts = {key: data.get(key, "") for key in ("name", "source")}
    if not all(isinstance(text, str) for text in texts.values()) or not texts["name"]:
        raise UserError("name and source must be strings, and name must not be empty")
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
