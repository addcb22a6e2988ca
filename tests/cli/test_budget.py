"""`archcalc budget`."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree

import pytest

GOOD = ("params == 61100840", "macs <= 0.72 * G", "output == [1000]", "100 < rf < 200")  # gold: deck 001's AlexNet


def test_all_hold(cli):
    result = cli("budget", "alexnet", *GOOD)
    assert result.code == 0
    assert result.out.splitlines()[-1] == "4 assertions, 0 failed"


@pytest.mark.parametrize(
    ("assertion", "actual", "margin"),
    [
        ("params <= 5e6", "params = 61,100,840", "−56,100,840 (−1122.0 %)"),
        ("5e6 >= params", "params = 61,100,840", "−56,100,840 (−1122.0 %)"),
        ("rf >= 256", "rf = 195", "−61 (−23.8 %)"),
        ("200 < rf < 300", "rf = 195", "−5 (−2.5 %)"),
        ("100 < rf < 150", "rf = 195", "−45 (−30.0 %)"),
        ("output == [10]", "output = [1000]", ""),
        ("layer['conv1'].output.channels in [32, 96]", "layer['conv1'].output.channels = 64", ""),
        ("params < 1 or macs < 1", "params = 61,100,840, macs = 716,767,232", ""),
    ],
)
def test_one_fails(cli, assertion, actual, margin):
    result = cli("budget", "alexnet", *GOOD, assertion)
    assert result.code == 1
    line = next(line for line in result.out.splitlines() if line.startswith("FAILED"))
    assert actual in line
    assert line.endswith(margin or actual)
    assert "5 assertions, 1 failed" in result.out


def test_counting_and_settings_change_what_is_checked(cli):
    assert cli("budget", "alexnet", "macs == 716767232", "--batch", "2").code == 1
    assert cli("budget", "alexnet", "output == [10]", "--set", "classes=10").code == 0
    assert cli("budget", "alexnet", "flops == 2 * macs", "--convention", "torch").code == 0
    assert cli("budget", "alexnet", "weight_memory == 2 * params", "--dtype", "float16").code == 0
    assert cli("budget", "alexnet", "input == [3, 224, 224]", "--input", "3,224,224").code == 0


@pytest.mark.parametrize(
    ("assertion", "message", "marked"),
    [
        ("parms <= 5", "unknown name 'parms'\n", "^~~~~\nhelp: did you mean 'params'?"),
        ("layer['conv11'].params < 1", "alexnet has no 'conv11'\n", "^" + "~" * 14 + "\nhelp: did you mean 'conv1'?"),
        ("params <= ", "invalid expression", "^"),
        ("params < 5M", "help: multiply by the unit: 5 * M", "^"),
        ("memory < 1.5 GiB", "help: multiply by the unit: 1.5 * GiB", "^"),
        ("1 / 0 < params", "division by zero", "^~~~~"),
        ("rf < 'many'", "cannot be computed", "^" + "~" * 10),
        ("layer['conv1'] == 3", "is not a number; name a quantity of it", "^" + "~" * 13),
        ("params == __import__('os')", "unknown function", "^"),
        ("2 ** 10 ** 10 < params", "too large", "^"),
    ],
)
def test_mistakes_have_a_place(cli, assertion, message, marked):
    result = cli("budget", "alexnet", "params > 0", assertion)
    assert result.code == 2
    assert result.err.startswith("assertion:2:")
    assert message in result.err
    assert marked in result.err
    assert "Traceback" not in result.err


def test_an_assertion_must_be_true_or_false(cli, spec_file):
    file = spec_file("params\n", "budget.txt")
    assert "is not an assertion" in cli("budget", "alexnet", "--from", file).err


def test_assertions_from_a_file(cli, spec_file):
    file = spec_file(
        "# what the course allows\nparams <= 5e6\n\n  rf >= 64  # half of the image\nmcas < 1\n", "budget.txt"
    )
    result = cli("budget", "lenet5", "--from", file)
    assert result.code == 2
    assert "budget.txt:5:1: error[A002]: unknown name 'mcas'\n" in result.err
    assert "help: did you mean 'macs'?" in result.err
    spec_file("# what the course allows\nparams <= 5e6\n", "budget.txt")
    assert cli("budget", "lenet5", "--from", file).code == 0


def test_a_file_without_assertions_is_refused(cli, spec_file):
    """It would check nothing, and pass."""
    result = cli("budget", "lenet5", "--from", spec_file("# params < 1\n\n", "budget.txt"))
    assert result.code == 2
    assert "budget.txt has no assertions, only comments" in result.err


def test_a_million_assertions(cli, spec_file):
    result = cli("budget", "lenet5", "--from", spec_file("1<2\n" * 200_000, "budget.txt"))
    assert result.code == 2
    assert "budget.txt:1001:1: error[A004]: more than 1,000 assertions" in result.err


def test_several_networks_as_json(cli, spec_file):
    """One that cannot be read is reported, and the others are checked."""
    broken = spec_file("name: x\ninput: [3]\nlayers:\n  - {cnv: 3}\n")
    result = cli("budget", "alexnet", broken, "lenet5", "params < 1e6", "--format", "json")
    assert result.code == 2
    assert "net.yaml:4:6: error" in result.err
    alexnet, bad, lenet = json.loads(result.out)["networks"]
    assert (alexnet["passed"], bad["passed"], lenet["passed"]) == (False, False, True)
    assert alexnet["assertions"][0]["margin"] == 10**6 - 61_100_840
    assert "net.yaml:4:6: error" in bad["problem"]
    assert lenet["assertions"][0]["actual"] == {"params": 61_706}  # torch's own count of LeNet-5


def test_junit(cli):
    """Counts and names as CI servers read them; hostile names are escaped."""
    result = cli("budget", "alexnet", "a&b\x1b[31m", "params <= 5e6", "rf > 1 and '<&>' != 'x'", "--format", "junit")
    root = ElementTree.fromstring(result.out)
    assert [suite.get("errors") for suite in root] == ["0", "1"]
    assert "\x1b" not in result.out + result.err
    result = cli("budget", "alexnet", "params <= 5e6", "rf > 1 and '<&>' != 'x'", "--format", "junit")
    assert result.code == 1
    suite = ElementTree.fromstring(result.out).find("testsuite")
    assert (suite.get("name"), suite.get("tests"), suite.get("failures"), suite.get("errors")) == (
        "alexnet",
        "2",
        "1",
        "0",
    )
    first, second = suite
    assert first.get("name") == "params <= 5e6"
    assert "params = 61,100,840" in first.find("failure").get("message")
    assert second.get("name") == "rf > 1 and '<&>' != 'x'"
    assert list(second) == []


def test_without_assertions_the_names_are_shown(cli):
    result = cli("budget", "alexnet")
    assert result.code == 0
    assert "61,100,840  Trainable elements" in result.out
    assert "layer['conv1'].params" in result.out


def test_no_network(cli):
    result = cli("budget", "params < 3")
    assert result.code == 2
    assert "no network to check" in result.err
