"""The report as a reader uses it: in headless Chromium, by real clicks and keys. And what stands in the file."""

from __future__ import annotations

import json
import re
import shutil
from itertools import pairwise

import pytest

import archcalc
from archcalc.render.figures.figure import FigureOptions, figure, write_figure
from archcalc.render.report.page import report

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
DRIVER = shutil.which("chromedriver")
in_chromium = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None, reason="no Chromium: apt-get install chromium chromium-driver"
)


@pytest.fixture(scope="module")
def browser():
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1400,1000"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def resnet50_page(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "resnet50.html"
    path.write_text(report(archcalc.load("resnet50").analyze()), encoding="utf-8")
    return path


@pytest.fixture
def page(browser, resnet50_page):
    """The report of ResNet-50, just opened."""
    browser.get(resnet50_page.as_uri())
    return Page(browser)


class Page:
    def __init__(self, browser):
        self.browser = browser

    def all(self, selector):
        return self.browser.find_elements("css selector", selector)

    def one(self, selector):
        return self.browser.find_element("css selector", selector)

    def click(self, selector):
        self.one(selector).click()

    def choose(self, selector, text):
        from selenium.webdriver.support.ui import Select

        Select(self.one(selector)).select_by_visible_text(text)

    def column(self, key):
        return self.browser.execute_script(
            "return [...document.querySelectorAll(arguments[0])].map(cell => cell.textContent)",
            f"#layers tbody td[data-key={key}]",
        )

    def total(self, key):
        return self.one(f"#layers tfoot th[data-key={key}]").text

    def press(self, *keys):
        from selenium.webdriver import ActionChains

        ActionChains(self.browser).send_keys(*keys).perform()


@in_chromium
def test_nothing_is_fetched_and_nothing_goes_wrong(browser, page):
    assert browser.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    assert {url.partition(":")[0] for url in asked} <= {"file", "data"}


@in_chromium
def test_the_table_sorts(page):
    names = page.column("name")
    page.click("#layers th[data-key=params] button")
    counts = [int(text.replace(",", "")) for text in page.column("params")]
    assert counts == sorted(counts, reverse=True)
    assert page.one("#layers th[data-key=params]").get_attribute("aria-sort") == "descending"
    assert page.column("name")[0] == "layer4.0.conv2"  # 512·512·9, the first of three alike
    page.click("#layers th[data-key=params] button")
    assert [int(text.replace(",", "")) for text in page.column("params")] == sorted(counts)
    page.click("#layers th[data-key=order] button")
    assert page.column("name") == names


@in_chromium
def test_the_table_is_searched_and_filtered_and_its_total_follows(page):
    assert page.total("params") == "25,557,032"  # torchvision's weights metadata for ResNet50_Weights
    page.one("#search").send_keys("LAYER4 conv")
    assert set(page.column("name")) == {
        *(f"layer4.{block}.conv{at}" for block in range(3) for at in (1, 2, 3)),
        "layer4.0.downsample.0",
    }
    assert page.one("#count").text == "10 of 175 layers"
    page.one("#search").clear()
    page.one("#search").send_keys(" ")
    page.choose("#category", "linear")
    assert page.column("name") == ["fc"]
    assert page.total("params") == "2,049,000"


@in_chromium
def test_a_click_on_a_box_shows_its_layer(page):
    page.click("#layer_0")
    assert page.one("#details h3").text == "conv1"
    assert "118,013,952" in page.one("#details").text  # 112·112·64·3·49
    assert page.one("#layers tr.chosen td[data-key=name]").text == "conv1"
    assert len(page.all("#drawing .node.chosen")) == 1
    assert "kernel: 7" in page.one(".line.chosen").text
    # The lecture's own derivation of AlexNet's first layer, with ResNet's numbers.
    assert "⌊(224 − 7 + 2·3)/2 + 1⌋" in page.one("#details").text
    others = [button.text for button in page.all("#details .others button")]
    assert others == ["conv1", "bn1", "relu1"]
    page.all("#details .others button")[1].click()
    assert page.one("#details h3").text == "bn1"


@in_chromium
def test_a_drag_moves_the_drawing_and_chooses_nothing(page):
    from selenium.webdriver.common.actions.action_builder import ActionBuilder

    before = page.one("#drawing svg").get_dom_attribute("viewBox").split()
    page.browser.execute_script("document.getElementById('drawing').scrollIntoView()")
    place = page.browser.execute_script("return document.getElementById('layer_0').getBoundingClientRect().toJSON()")
    x, y = round(place["x"] + place["width"] / 2), round(place["y"] + place["height"] / 2)
    mouse = ActionBuilder(page.browser)
    mouse.pointer_action.move_to_location(x, y).pointer_down().move_to_location(x + 40, y + 60).pointer_up()
    mouse.perform()
    after = page.one("#drawing svg").get_dom_attribute("viewBox").split()
    assert float(after[0]) < float(before[0])
    assert float(after[1]) < float(before[1])
    assert after[2:] == before[2:]
    assert not page.all("#details h3")


@in_chromium
def test_the_drawing_zooms(page):
    def width():
        return float(page.one("#drawing svg").get_dom_attribute("viewBox").split()[2])

    start = width()
    page.click("#zoom-in")
    closer = width()
    assert closer < start
    page.click("#zoom-out")
    assert width() == pytest.approx(start)
    page.click("#zoom-fit")
    height = float(page.one("#drawing svg").get_dom_attribute("viewBox").split()[3])
    assert height > 2000  # all of a long drawing


@in_chromium
def test_everything_by_keyboard(page):
    from selenium.webdriver import Keys

    page.browser.execute_script("document.getElementById('drawing').focus()")
    before = page.one("#drawing svg").get_dom_attribute("viewBox")
    page.press(Keys.ARROW_DOWN, "+")
    assert page.one("#drawing svg").get_dom_attribute("viewBox") != before
    page.press(Keys.TAB, Keys.ENTER)
    assert page.one("#details h3").text == "conv1"
    page.browser.execute_script("document.querySelector('#layers tr[tabindex=\"0\"]').focus()")
    page.press(Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ENTER)
    assert page.one("#details h3").text == "relu1"


@in_chromium
@pytest.mark.parametrize(
    ("convention", "flops"),
    [
        ("fvcore", "4,111,512,576"),  # fvcore.nn.FlopCountAnalysis of torchvision's ResNet-50
        ("torch", "8,178,368,512"),  # torch.utils.flop_counter.FlopCounterMode of the same
    ],
)
def test_the_convention_is_switched(page, convention, flops):
    assert page.total("flops") != flops
    page.choose("#convention", convention)
    assert page.total("flops") == flops
    assert convention in page.one("#summary").text
    page.click("#layer_0")
    assert f"{convention} FLOPs" in page.one("#details").text
    assert "lecture FLOPs" not in page.one("#details").text
    assert page.one("#conventions tr.current").text.startswith(f"{convention} {flops}")


@in_chromium
def test_charts(page):
    assert len(page.all("#bars rect.bar")) == 175
    assert "layer1.0.downsample.1" in page.one("#time-says").text
    assert page.one("#field-says").text.startswith("427 positions at layer4.2.relu3")  # by gradients, as torchvision's
    page.choose("#metric", "parameters")
    assert "15.0 M" in page.one("#stages").text
    bar = page.one('#bars rect[data-layer="0"]')
    page.browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", bar)
    page.choose("#metric", "multiply-adds")
    page.click('#bars rect[data-layer="0"]')
    assert page.one("#details h3").text == "conv1"


@in_chromium
def test_on_a_telephone(browser, resnet50_page):
    """390 pixels wide: nothing is cut off, every table can be scrolled, text in charts is as large as elsewhere."""
    size = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        browser.get(resnet50_page.as_uri())
        found = browser.execute_script("""
          const box = (one) => one.getBoundingClientRect();
          const labels = [...document.querySelectorAll("figure svg text")];
          return {
            width: document.documentElement.scrollWidth,
            tables: [...document.querySelectorAll("table")].map((one) => Boolean(one.closest(".scroll"))),
            text: Math.min(...labels.map((one) => box(one).height)),
            right: Math.max(...labels.map((one) => box(one).right - box(one.closest("svg")).right)),
            left: Math.min(...labels.map((one) => box(one).left - box(one.closest("svg")).left)),
            last: [...document.querySelectorAll("#bars text")].at(-1).textContent,
          };""")
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert found["width"] <= 390
    assert found["tables"] == [True, True, True]
    assert found["text"] >= 11
    assert found["right"] <= 1
    assert found["left"] >= -1
    assert found["last"] in ("fc", "layer4")


@in_chromium
def test_it_is_dark_where_a_reader_wants_that_and_prints_whole(page):
    def paper():
        return page.browser.execute_script("return getComputedStyle(document.body).backgroundColor")

    def emulate(**features):
        page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", features)

    emulate(features=[{"name": "prefers-color-scheme", "value": "dark"}])
    assert paper() == "rgb(21, 24, 29)"
    title = page.one("#drawing svg > g > text")
    assert page.browser.execute_script("return getComputedStyle(arguments[0]).fill", title) == "rgb(230, 237, 243)"
    emulate(media="print", features=[])
    assert not page.one("#search").is_displayed()
    assert page.browser.execute_script("return document.querySelector('.scroll').scrollHeight") == pytest.approx(
        page.browser.execute_script("return document.querySelector('.scroll').clientHeight"), abs=2
    )
    emulate(media="", features=[])


@in_chromium
def test_names_from_a_spec_stay_text(browser, spec_file, tmp_path):
    name = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
    says = f'title: "{name}"\nsource: "{name}"\n'
    spec = spec_file(f'name: n\n{says}input: [3, 8, 8]\nlayers: [{{conv: 4, kernel: 3, name: "{name}"}}]\n')
    path = tmp_path / "n.html"
    path.write_text(report(archcalc.load(spec).analyze()), encoding="utf-8")
    browser.get(path.as_uri())
    opened = Page(browser)
    assert opened.column("name") == [name]
    opened.click("#drawing .node[role=button]")
    assert opened.one("#details h3").text == name
    assert browser.title == "n · archcalc"  # an alert would have made this an error


@in_chromium
def test_a_network_too_large_to_be_drawn_is_reported_all_the_same(browser, tmp_path, monkeypatch):
    monkeypatch.setattr("archcalc.render.drawing.drawing.MOST_NODES", 5)
    path = tmp_path / "large.html"
    path.write_text(report(archcalc.load("lenet5").analyze()), encoding="utf-8")
    browser.get(path.as_uri())
    opened = Page(browser)
    assert opened.one("#drawing text").text.startswith("lenet5 has 8 boxes to draw, the most is 5")
    opened.click("#layers tbody tr")
    assert opened.one("#details h3").text == opened.column("name")[0] == "conv1"
    assert not [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


def embedded(page: str):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


@pytest.mark.parametrize(
    "name", ["alexnet", "googlenet", "vit_b_16", pytest.param("nasnet_a_large", marks=pytest.mark.slow)]
)
def test_the_numbers_are_those_of_the_analyses(name):
    network = archcalc.load(name)
    data = embedded(report(network.analyze(batch=2, dtype="float16")))
    layers = [layer for layer in data["layers"] if not layer["auxiliary"]]
    for at, convention in enumerate(data["conventions"]):
        totals = network.analyze(batch=2, dtype="float16", convention=convention["name"]).totals
        assert sum(layer["flops"][at] for layer in layers) == totals.flops
        assert sum(layer["memory"][at] for layer in layers) == totals.memory
        assert sum(layer["params"] for layer in layers) == totals.params
    assert [layer["name"] for layer in data["layers"]] == [layer.name for layer in network.layers]
    assert sorted(at for indexes in data["drawn"].values() for at in indexes) == list(range(len(network.layers)))
    assert data["timeline"]["layers"] == [layer["name"] for layer in layers]


@pytest.mark.parametrize(
    "name", ["resnet18", "googlenet", pytest.param("efficientnet_b0", marks=pytest.mark.slow), "vit_b_16"]
)
def test_the_main_path_goes_by_what_sees_the_most(name):
    """One layer takes the other's output from the input to the end; a projection or a gate beside it is not on it."""
    data = embedded(report(archcalc.load(name).analyze()))
    path = [data["layers"][at] for at in data["main_path"]]
    assert list(data["inputs"]) == path[0]["inputs"]
    assert path[-1]["name"] == data["layers"][-1]["name"]
    assert all(before["name"] in after["inputs"] for before, after in pairwise(path))
    sizes = [max(layer["rf"]) for layer in path if None not in layer["rf_stride"]]
    assert sizes == sorted(sizes)
    assert not [layer["name"] for layer in path if "downsample" in layer["name"] or "fc1" in layer["name"]]


def test_every_layer_points_to_its_line():
    network = archcalc.load("resnet50")
    data = embedded(report(network.analyze()))
    file, line = data["layers"][0]["place"]
    assert data["sources"][file]["file"] == "resnet.yaml"
    assert "conv1" in data["sources"][file]["lines"][line - 1]


def test_the_figure_is_that_of_draw_in_light_and_in_dark():
    analysis = archcalc.load("googlenet").analyze()
    page = report(analysis)
    for theme in ("light", "dark"):
        assert write_figure(figure(analysis, FigureOptions(theme=theme)), "svg").decode() in page
    # 1,100 layers that all differ fit no page.
    layers = "".join(f"  - {{conv: {3 + at % 7}, kernel: 1}}\n" for at in range(1100))
    assert "figure-title" not in report(archcalc.loads(f"input: [3, 8, 8]\nlayers:\n{layers}").analyze())


def test_the_report_of_resnet_152_is_small():
    assert len(report(archcalc.load("resnet152").analyze()).encode()) < 3_000_000


def test_elements_of_half_a_byte():
    assert '"itemsize":0.5' in report(archcalc.load("lenet5").analyze(dtype="int4"))
