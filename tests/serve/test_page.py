"""The page as a reader uses it: in headless Chromium, by real clicks and keys."""

from __future__ import annotations

import json
import time

import pytest

import archcalc

SMALL = """input: [3, 32, 32]
params: {width: 8}
layers:
  - {conv: width, kernel: 3}
  - relu
  - flatten
  - linear: 10
"""


class Page:
    """The page in a browser."""

    def __init__(self, browser, link):
        self.browser = browser
        browser.get("about:blank")
        browser.get_log("browser"), browser.get_log("performance")
        browser.get(link)
        self.until("document.body.dataset.ready === 'yes' && document.querySelector('#rows tbody')")

    def run(self, script, *values):
        return self.browser.execute_script(script, *values)

    def until(self, condition, seconds=60):
        """Wait until a condition in the page's language holds; return its value."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            value = self.run(f"return ({condition})")
            if value:
                return value
            time.sleep(0.02)
        raise AssertionError(f"never: {condition}; the status is {self.text('#status')!r}")

    def one(self, selector):
        return self.browser.find_element("css selector", selector)

    def text(self, selector):
        return self.run("return document.querySelector(arguments[0]).textContent", selector)

    def click(self, selector):
        self.one(selector).click()

    def choose(self, selector, value):
        from selenium.webdriver.support.ui import Select

        Select(self.one(selector)).select_by_value(value)

    def press(self, *keys):
        from selenium.webdriver import ActionChains

        ActionChains(self.browser).send_keys(*keys).perform()

    def chord(self, *keys):
        from selenium.webdriver import ActionChains

        *held, last = keys
        actions = ActionChains(self.browser)
        for key in held:
            actions.key_down(key)
        actions.send_keys(last)
        for key in held:
            actions.key_up(key)
        actions.perform()

    def write(self, text):
        """Put a text in the editor, as pasting does."""
        self.run("editor.text = arguments[0]", text)

    def row(self, name):
        """Return the cells of a layer by heading."""
        return self.run(
            """const cells = row => [...row.cells].map(cell => cell.textContent);
            const [head, ...rows] = all('#rows tr').map(cells);
            const row = rows.find(row => row[0] === arguments[0]);
            return row && Object.fromEntries(head.map((name, place) => [name, row[place]]));""",
            name,
        )

    def until_cell(self, name, heading, value):
        """Wait until a layer has a value."""
        end = time.monotonic() + 60
        while (self.row(name) or {}).get(heading) != value:
            assert time.monotonic() < end, self.row(name)
            time.sleep(0.02)

    def at_line(self, line, column=0):
        """Put the cursor into the editor."""
        self.run("editor.ace.focus(); editor.ace.gotoLine(arguments[0] + 1, arguments[1])", line, column)


@pytest.fixture
def page(chromium, server):
    return Page(chromium, server.link)


@pytest.fixture
def small(page):
    """A small network in the editor, which is shown."""
    page.write(SMALL)
    # The drawing and the table come in either order.
    page.until("document.body.dataset.table == numbers.show && document.body.dataset.panel == numbers.show")
    return page


def keys():
    from selenium.webdriver.common.keys import Keys

    return Keys


def test_the_network_is_shown_and_nothing_is_fetched_from_elsewhere(page, server):
    page.until("document.querySelector('#shown svg')")
    page.click("[data-field=exact]")
    page.until("document.querySelector('#rows').textContent.includes('23,296')")  # conv1: 64·(3·11·11 + 1)
    assert page.browser.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in page.browser.get_log("performance")]
    asked = {event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"}
    assert asked
    assert all(url.startswith((f"http://127.0.0.1:{server.port}/", "data:", "about:", "blob:")) for url in asked), asked


def test_typing_changes_table_and_drawing(small):
    small.at_line(1, len("params: {width: 8"))
    small.press("0")
    small.until("document.querySelector('#shown').textContent.includes('80')")
    small.until_cell("conv1", "filters", "80")
    expected = archcalc.loads(SMALL.replace("8}", "80}")).analyze().totals.params
    small.click("[data-field=exact]")
    small.until(f"document.querySelector('#rows').textContent.includes('{expected:,}')")


# Of a long spec the editor draws only the lines in view; which these are when the mark comes differs from run to run.
@pytest.mark.parametrize("name", ["alexnet", "lenet", pytest.param("resnet50", marks=pytest.mark.slow)])
def test_a_mistake_is_marked_under_its_line_with_help(page, name):
    from archcalc.language.library import bundled

    page.write(bundled()[name if name != "resnet50" else "resnet"][0].read_text())
    page.until("document.querySelector('#rows').textContent.includes('layer')")
    line = page.run(
        "const lines = editor.text.split('\\n'); return lines.findLastIndex(line => line.includes('linear'))"
    )
    column = page.run("return editor.text.split('\\n')[arguments[0]].indexOf('linear')", line)
    page.at_line(line, column + 6)
    page.press(keys().BACKSPACE, keys().BACKSPACE, "er")
    page.until("document.querySelector('.under')")
    page.press(keys().BACKSPACE, keys().BACKSPACE, keys().BACKSPACE, "aer", keys().ESCAPE)
    page.until(
        "document.querySelector('.under') && document.querySelector('.under').textContent.includes(\"'linaer'\")"
    )
    under = page.text(".under")
    assert "help: did you mean 'linear'?" in under
    assert page.run("return editor.session.lineWidgets[arguments[0]] !== undefined", line)
    assert page.until("document.querySelectorAll('.mistake').length") == 1
    assert page.run("return document.querySelector('#rows').classList.contains('old')")


def test_completion_knows_operators_and_their_arguments(small):
    small.at_line(7)
    small.press("  - max")
    small.until("document.querySelector('.ace_autocomplete') && editor.ace.completer.popup.isOpen")
    proposed = small.run("return editor.ace.completer.popup.data.map(word => word.caption)")
    assert "max_pool" in proposed
    assert "kernel" not in proposed
    small.press(keys().TAB)
    small.until("editor.text.includes('  - max')")
    small.write(SMALL.replace("kernel: 3}", "kernel: 3, }"))
    small.at_line(3, len("  - {conv: width, kernel: 3, "))
    small.press("pad")
    small.until(
        "editor.ace.completer.popup.isOpen && editor.ace.completer.popup.data.some(word => word.caption === 'padding')"
    )
    proposed = small.run("return editor.ace.completer.popup.data.map(word => word.caption)")
    assert "kernel" not in proposed  # it is given
    small.press(keys().TAB)
    small.press(": 1")
    small.until("document.querySelector('#rows').textContent.includes('conv1') && !document.querySelector('.mistake')")
    small.until("!document.querySelector('#rows').classList.contains('old')")
    small.until_cell("conv1", "output H/W", "32")


def test_a_box_leads_to_its_line_its_row_and_its_derivation(small):
    small.click("#shown .node[data-layer=conv1]")
    small.until("document.querySelector('#layer-steps').textContent.includes('params')")
    assert small.text("#layer-name") == "conv1"
    assert small.run("return editor.ace.getCursorPosition().row") == 3
    assert small.text("tr.chosen td") == "conv1"
    steps = small.text("#layer-steps")
    assert "224" in steps  # 8·(3·3·3 + 1) parameters
    small.until("!document.querySelector('#layer-field').hidden")
    small.click("#close-layer")
    assert not small.one("#layer").is_displayed()


def test_the_keyboard_chooses_rows_and_boxes(small):
    small.run("document.querySelector('#rows').focus()")
    small.press(keys().ARROW_DOWN)
    small.until("document.querySelector('#layer-name').textContent === 'conv1'")
    small.press(keys().ARROW_DOWN)
    small.until("document.querySelector('#layer-name').textContent === 'flatten1'")
    small.run("document.querySelector('#shown .node[data-layer=conv1]').focus()")
    small.press(keys().ENTER)
    small.until("document.querySelector('#layer-name').textContent === 'conv1'")


def test_a_slider_moves_every_number(small):
    slider = small.one("#sliders input[type=range]")
    assert small.text("#sliders label") == "width"
    small.run("arguments[0].focus()", slider)
    small.press(keys().ARROW_RIGHT)
    small.until("document.querySelector('#shown').textContent.includes('9')")
    small.until("[...document.querySelectorAll('#rows td')].some(cell => cell.textContent === '9')")
    small.until_cell("conv1", "filters", "9")
    assert "width: 8" in small.run("return editor.text")
    small.click("#sliders button")
    small.until("[...document.querySelectorAll('#rows td')].some(cell => cell.textContent === '8')")
    labels = small.run("return [...document.querySelectorAll('#sliders label')].map(label => label.textContent)")
    assert labels == ["width", "H", "W"]
    size = small.browser.find_elements("css selector", "#sliders input[type=number]")[1]
    size.clear()
    size.send_keys("64")
    small.until("document.querySelector('#rows caption').textContent.includes('3×64×32')")


def test_what_is_counted_and_shown_is_chosen(small):
    small.choose("[data-field=convention]", "torch")
    small.choose("[data-field=dtype]", "float16")
    small.until("document.querySelector('#rows caption').textContent.includes('float16')")
    small.click("#columns summary")
    for box in small.browser.find_elements("css selector", "#columns input:checked")[1:]:
        box.click()
    small.click("#columns input[value=macs]")
    small.until("document.querySelectorAll('#rows thead th').length === 2")
    assert "conv1" in small.row("conv1").values()


def test_every_panel_shows_the_documents_of_the_commands(small):
    for panel, said in {
        "memory": "peak",
        "roofline": "predicted",
        "compare": "Choose a network",
        "budget": "params",
        "formula": "left open",
    }.items():
        small.click(f"[data-panel={panel}]")
        small.until(f"document.querySelector('#shown').textContent.includes('{said}')")
    small.one("[data-field=lets]").send_keys("width")
    small.until("document.querySelector('#shown').textContent.includes('width')")
    small.click("[data-panel=budget]")
    small.one("[data-field=assertions]").send_keys("params <= 10")
    small.until("document.querySelector('[data-panel=budget]').classList.contains('failed')")
    small.one("[data-field=assertions]").send_keys("00000")
    small.until("document.querySelector('[data-panel=budget]').classList.contains('passed')")
    small.click("[data-panel=costs]")
    small.until("document.querySelector('#shown img') && document.querySelector('#shown img').naturalWidth > 0")


def test_a_kept_point_is_compared(small):
    small.click("#keep")
    small.write(SMALL.replace("width: 8", "width: 16"))
    small.until("document.querySelector('#shown').textContent.includes('2.0')")
    other = small.one("[data-field=other]")
    other.send_keys("lenet")
    small.until("document.querySelector('#shown').textContent.includes('lenet')")


def test_a_shared_link_has_the_whole_state_and_is_somebody_elses(small, server):
    small.choose("[data-field=convention]", "torch")
    small.click("#share")
    link = small.until("document.querySelector('#link').value")
    assert server.token not in link
    fragment = link.partition("#")[2]
    other = Page(small.browser, f"{server.link}#{fragment}")
    other.until("document.querySelector('#rows').textContent.includes('torch')")
    assert other.run("return editor.text") == SMALL
    assert "came by a link" in other.text("#banners")
    assert other.run("return state.shared") is True
    other.write("extends: x.yaml\n")
    other.until("document.querySelector('#status').textContent.includes('bundled networks')")
    other.click("#banners button")
    assert other.run("return state.shared") is False
    broken = Page(small.browser, f"{server.link}#s=AAAA")
    assert "has no network" in broken.text("#banners")


@pytest.mark.parametrize(("format", "starts"), [("csv", "name,"), ("svg", "<?xml"), ("report", "<!DOCTYPE")])
def test_files_are_downloaded(small, tmp_path, format, starts):
    small.browser.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    small.choose("#download", format)
    end = time.monotonic() + 60
    # While a file comes, Chromium may have it under two names.
    while [each.suffix == ".crdownload" for each in tmp_path.iterdir()] != [False] and time.monotonic() < end:
        time.sleep(0.05)
    [file] = tmp_path.iterdir()
    assert file.read_text(encoding="utf-8").startswith(starts), file.read_text()[:200]


def test_a_file_is_saved_and_reloaded(chromium, serve, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(SMALL)
    server = serve("mine.yaml")
    page = Page(chromium, server.link)
    assert page.run("return editor.text") == SMALL
    page.at_line(1, len("params: {width: 8"))
    page.press("0")
    page.until("document.querySelector('#file').classList.contains('changed')")
    page.chord(keys().CONTROL, "s")
    page.until("!document.querySelector('#file').classList.contains('changed')")
    assert file.read_text() == SMALL.replace("8}", "80}")
    # Another editor saves it: by renaming, as editors do.
    (tmp_path / "new").write_text(SMALL.replace("8}", "4}"))
    (tmp_path / "new").rename(file)
    page.until("editor.text.includes('width: 4')")
    page.at_line(1, len("params: {width: 4"))
    page.press("4")
    page.until("document.querySelector('#file').classList.contains('changed')")
    (tmp_path / "new").write_text(SMALL)
    (tmp_path / "new").rename(file)
    page.until("document.querySelector('#banners button')")
    assert "width: 44" in page.run("return editor.text")
    # What was not saved is offered at the next start.
    code, said = server.stop()
    assert (code, "Traceback" in said) == (0, False), said
    again = Page(chromium, serve("mine.yaml").link)
    assert again.run("return editor.text") == SMALL
    again.click("#banners button")
    again.until("editor.text.includes('width: 44')")


def test_a_narrow_page_has_tabs_and_nothing_beside_it(page):
    size = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": False}
    page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        for part, seen in {"table": "#rows table", "panel": "#shown svg", "spec": "#editor"}.items():
            page.click(f"#parts [data-part={part}]")
            assert page.one(seen).is_displayed()
            assert page.run("return document.documentElement.scrollWidth") <= 390
    finally:
        page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_everything_has_a_name_in_the_accessibility_tree(small):
    """What a screen reader says of it. A group is a `details`, whose summary says what it is."""
    roles = {"button", "textbox", "combobox", "checkbox", "tab", "tabpanel", "slider", "spinbutton", "image", "region"}
    for panel in ("drawing", "memory", "exercise"):
        small.click(f"[data-panel={panel}]")
        small.until("!document.querySelector('#shown').ariaBusy && document.querySelector('#shown').childElementCount")
        nodes = small.browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        shown = [node for node in nodes if not node.get("ignored") and node["role"]["value"] in roles]
        names = [(node["role"]["value"], node.get("name", {}).get("value", "").strip()) for node in shown]
        assert [role for role, name in names if not name] == []
        assert ("tabpanel", small.text(f"[data-panel={panel}]")) in names


def test_arrow_keys_choose_a_tab(small):
    small.click("[data-panel=drawing]")
    for key, tab in ((keys().END, "Exercises"), (keys().ARROW_RIGHT, "Drawing"), (keys().ARROW_LEFT, "Exercises"),
                     (keys().HOME, "Drawing"), (keys().ARROW_RIGHT, "Costs")):  # fmt: skip
        small.press(key)
        assert small.text("[role=tab][aria-selected=true]") == tab
        assert small.run("return document.activeElement.textContent") == tab


def test_a_tab_never_shows_what_another_one_did(small):
    small.run(
        """window.stale = [];
        const shown = document.querySelector('#shown'), tab = document.querySelector('[data-panel=memory]');
        tab.addEventListener('click', () => stale.push(shown.textContent, shown.ariaBusy));"""
    )
    small.click("[data-panel=memory]")
    assert small.run("return stale") == ["", "true"]
    small.until("document.querySelector('#shown').textContent.includes('tensors at the peak')")
    assert small.run("return document.querySelector('#shown').ariaBusy") is None


def test_names_of_layers_stay_where_a_narrow_table_is_scrolled(page):
    size = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": False}
    page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        page.click("#parts [data-part=table]")
        page.run("document.querySelector('#rows').scrollLeft = 300")
        assert page.run("return document.querySelector('#rows').scrollLeft") > 100
        assert page.run("return document.querySelector('#rows tbody td').getBoundingClientRect().left") >= 0
    finally:
        page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_quiz_is_graded_at_once(small):
    from archcalc.homework.exercises.quiz import quiz
    from archcalc.homework.exercises.quiz_document import answer

    small.click("[data-panel=exercise]")
    small.until("document.querySelector('[data-answer]')")
    exercises = quiz(1, 5)
    fields = small.run("return [...document.querySelectorAll('[data-answer]')].map(field => field.dataset.answer)")
    assert fields == [f"{each.number}.{at}" for each in exercises for at in range(len(each.asks))]
    rights = {f"{each.number}.{at}": answer(ask) for each in exercises for at, ask in enumerate(each.asks)}
    counted = next(field for field in fields if rights[field].replace(",", "").isdigit())
    for field, text in {**rights, counted: "7"}.items():
        small.one(f'[data-answer="{field}"]').send_keys(text)
    small.click("#grade")
    small.until(f"document.querySelector('#grades').textContent === '{len(fields) - 1} of {len(fields)} right'")
    assert small.one(f'[data-answer="{counted}"]').get_attribute("aria-invalid") == "true"
    assert small.text(f'[data-answer="{counted}"] + .hint').startswith("wrong")
    # A key is a new verdict; what was written stays while other panels are looked at.
    small.click("[data-panel=budget]")
    small.until("!document.querySelector('[data-answer]')")
    small.click("[data-panel=exercise]")
    small.until("document.querySelector('[data-answer]')")
    field = small.one(f'[data-answer="{counted}"]')
    assert field.get_attribute("value") == "7"
    field.clear()
    field.send_keys(rights[counted], keys().ENTER)
    small.until(f"document.querySelector('#grades').textContent === '{len(fields)} of {len(fields)} right'")


def test_a_worksheet_of_the_network_is_graded(small):
    small.click("[data-panel=exercise]")
    small.choose("[data-field=exercise]", "worksheet")
    small.one("[data-field=asked]").send_keys("params")
    small.until("document.querySelectorAll('td [data-answer]').length === 3")
    labels = small.run("return [...document.querySelectorAll('[data-answer]')].map(field => field.ariaLabel)")
    assert labels[0] == "params (k) of conv1"
    conv, flatten, linear = small.browser.find_elements("css selector", "[data-answer]")
    conv.send_keys("0.224")  # 8·(3·3·3 + 1) = 224
    flatten.send_keys("0")
    linear.send_keys("7")
    small.click("#grade")
    small.until("document.querySelector('#grades').textContent.includes('2 right, 1 wrong')")
    assert linear.get_attribute("data-verdict") == "wrong"


@pytest.mark.parametrize("style", ["volumes", "paper", "blocks"])
def test_figures_are_drawn_and_lead_to_their_layers(small, style):
    small.choose("[data-field=style]", style)
    # A node of the graph, which is there until then, has an id.
    small.until("document.querySelector('#shown g[data-layer=conv1]:not([id])')")
    small.run(
        "document.querySelector('#shown [data-layer=conv1]').dispatchEvent(new MouseEvent('click', {bubbles: true}))"
    )
    small.until("document.querySelector('#layer-steps').textContent.includes('params')")
    assert small.text("tr.chosen td") == "conv1"


def test_memory_is_drawn_over_time(small):
    small.click("[data-panel=memory]")
    small.until("document.querySelector('#shown img') && document.querySelector('#shown img').naturalWidth > 0")
    assert "memory" in small.one("#shown img").get_attribute("alt")
    assert "peak" in small.text("#shown")


def test_a_drawing_that_is_the_same_is_sent_once(small):
    small.until("document.querySelector('#shown svg')")
    small.run(
        "window.panels = []; const panel = answers.panel; answers.panel = a => { panels.push(a); panel(a); };"
        "window.svg = document.querySelector('#shown svg')"
    )
    small.write(SMALL + "# a remark")
    small.until("panels.length && panels.at(-1).same")
    assert small.run("return document.querySelector('#shown svg') === svg")
    assert small.run("return panels.every(each => !each.svg)")
    small.write(SMALL.replace("width: 8", "width: 16"))
    small.until("document.querySelector('#shown').textContent.includes('16')")


def test_the_page_says_what_changes_to_a_screen_reader(page):
    assert page.run("return document.querySelector('#status').getAttribute('role')") == "status"
    for live in ("#banners", "#layer-steps", "#grades"):
        assert page.run("return document.querySelector(arguments[0]).getAttribute('aria-live')", live) == "polite"
    regions = page.run("return [...document.querySelectorAll('section, nav, aside')].map(each => each.ariaLabel)")
    assert None not in regions
    tabs = page.run("return [...document.querySelectorAll('[role=tab]')].filter(tab => tab.tabIndex === 0).length")
    assert tabs == 1


def test_what_is_printed_is_white_and_whole(page):
    page.browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"media": "print", "features": [{"name": "prefers-color-scheme", "value": "dark"}]},
    )
    try:
        assert page.run("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert not page.one("header form").is_displayed()
        assert page.one("#rows").is_displayed()
        assert page.run("return getComputedStyle(document.querySelector('#rows')).overflow") == "visible"
    finally:
        page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
