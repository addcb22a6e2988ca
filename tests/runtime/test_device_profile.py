"""Profiles of devices."""

from __future__ import annotations

import json

import pytest

from archcalc.runtime.device_profile import DeviceProfile, find_profile, profile_names

GOOD = {"name": "x", "source": "a test", "peak_flops": {"float32": 1e12}, "bandwidth": 1e11, "overhead": 1e-6}


def test_bundled_profiles_name_their_sources():
    assert {"a100", "h100", "h200", "t4", "v100"} <= {*profile_names()}
    for name in profile_names():
        profile = find_profile(name)
        assert "NVIDIA" in profile.source
        assert profile.peak("float32") > 1e12


def test_a100_as_in_nvidias_datasheet():
    """NVIDIA A100 80GB SXM datasheet: 19.5 TFLOPS FP32, 156 TF32, 312 BF16, 2,039 GB/s."""
    profile = find_profile("A100")
    assert [profile.peak(dtype) for dtype in ("float32", "tf32", "bfloat16")] == [19.5e12, 156e12, 312e12]
    assert profile.bandwidth == 2039e9


def test_written_and_read_again(tmp_path):
    path = tmp_path / "mine.json"
    profile = DeviceProfile(**GOOD)
    path.write_text(profile.to_json())
    assert find_profile(str(path)) == profile


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bandwidth": 0}, "bandwidth must be a number above 0"),
        ({"bandwidth": None}, "bandwidth must be a number above 0"),
        ({"bandwidth": float("nan")}, "bandwidth must be a number above 0"),
        ({"overhead": -1}, "overhead must be a number above 0"),
        ({"peak_flops": {}}, "peak_flops must be an object"),
        ({"peak_flops": {"float33": 1}}, "did you mean 'float32"),
        ({"peak_flops": {"float32": True}}, "must be a number above 0"),
        ({"name": 3}, "must be strings"),
        ({"bandwith": 3}, "did you mean 'bandwidth"),
    ],
)
def test_mistakes(change, message, tmp_path):
    path = tmp_path / "bad.json"
    path.write_text(json.dumps({**GOOD, **change}))
    with pytest.raises(ValueError, match=message):
        find_profile(str(path))


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b"{", b"[" * 90_000, b" " * 200_000])
def test_files_that_are_no_profile(content, tmp_path):
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is not a device profile"):
        find_profile(str(path))


def test_unknown_name_and_dtype():
    with pytest.raises(ValueError, match="did you mean 'h100"):
        find_profile("h10")
    with pytest.raises(ValueError, match="no peak for 'bfloat16'"):
        find_profile("v100").peak("bfloat16")
