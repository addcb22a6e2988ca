"""How long after a key the page shows the new table and drawing: `python tests/benchmarks/page.py`.

Keys are pressed in headless Chromium, a quarter of a second apart, and the time is taken in the browser: from the key
to the frame after the change. Then ten clients type at once over WebSockets, as ten tabs do.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
KEYS = 40  # half of them count
PAUSE = 0.25
NETWORKS = ("resnet50", "resnet152")
TABS = 10
WATCH = """
window.times = {table: [], drawing: []};
const started = new Map();
const shown = (kind, number) => requestAnimationFrame(() => setTimeout(() => {
  if (started.has(number)) times[kind].push(performance.now() - started.get(number));
}));
document.addEventListener("keydown", () => { window.keyAt = performance.now(); }, true);
editor.changed(() => { if (window.keyAt && window.counts) started.set(numbers.show, window.keyAt); });
const table = answers.table, panels = answers.panel;
answers.table = (answer) => { table(answer); shown("table", answer.number); };
answers.panel = (answer) => { panels(answer); if (answer.svg) shown("drawing", answer.number); };
"""


def summary(name: str, times: list[float]) -> str:
    """Return the median and the 95th percentile, in milliseconds."""
    ordered = sorted(times)
    high = ordered[int(0.95 * (len(ordered) - 1))]
    return f"{name:24} {statistics.median(ordered):6.0f} {high:6.0f}   of {len(ordered)}"


def in_browser(name: str) -> None:
    """Change the width of a bundled network."""
    from selenium import webdriver
    from selenium.webdriver import ActionChains

    from tests.serve.conftest import CHROMIUM, DRIVER, Server

    server = Server(Path(tempfile.mkdtemp()), name)
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1400,1000"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    try:
        driver.get(server.link)
        while not driver.execute_script("return document.querySelector('#shown svg') !== null"):
            time.sleep(0.1)
        time.sleep(2)
        driver.execute_script(WATCH)
        # A digit more or less in the width changes nearly every number.
        driver.execute_script(
            """const before = editor.text.slice(0, editor.text.search(/width: /) + 9).split("\\n");
            editor.ace.focus(); editor.ace.gotoLine(before.length, before.pop().length);"""
        )
        for place in range(KEYS):
            # Each digit gives a text that was never laid out; what a backspace goes back to was, and is not counted.
            driver.execute_script("window.counts = arguments[0]", place % 2 == 0)
            digits = "1234567890" if place < KEYS // 2 else "5432109876"
            back = "\ue003" if place != KEYS // 2 - 1 else "7"
            ActionChains(driver).send_keys(back if place % 2 else digits[place // 2 % 10]).perform()
            time.sleep(PAUSE)
        time.sleep(1)
        times = driver.execute_script("return times")
        for kind in ("table", "drawing"):
            print(summary(f"{name}, {kind}", times[kind]))
    finally:
        driver.quit()
        server.stop()


async def tabs(name: str) -> None:
    """Let ten clients type at once, four keys a second each."""
    from websockets.asyncio.client import connect

    from archcalc.language.library import bundled
    from tests.serve.conftest import Server

    server = Server(Path(tempfile.mkdtemp()), name)
    path, variant = bundled()[name]
    text = path.read_text()
    address = f"ws://127.0.0.1:{server.port}/live?token={server.token}"
    times: dict[str, list[float]] = {"table": [], "panel": []}

    async def client(place: int) -> None:
        async with connect(
            address, origin=f"http://127.0.0.1:{server.port}", max_size=None, compression=None
        ) as socket:
            await socket.recv()
            sent: dict[int, float] = {}

            async def hear() -> None:
                async for raw in socket:
                    answer = json.loads(raw)
                    if answer["kind"] in times and answer["number"] in sent:
                        times[answer["kind"]].append(1000 * (time.perf_counter() - sent[answer["number"]]))

            hearing = asyncio.create_task(hear())
            await asyncio.sleep(PAUSE * place / TABS)
            for number in range(1, KEYS + 1):
                sent[number] = time.perf_counter()
                view = {"variant": variant or ""}
                await socket.send(
                    json.dumps({"ask": "show", "number": number, "text": f"{text}\n# {number}", "view": view})
                )
                await asyncio.sleep(PAUSE)
            await asyncio.sleep(2)
            hearing.cancel()

    await asyncio.gather(*(client(place) for place in range(TABS)))
    for kind, each in times.items():
        print(summary(f"{TABS} tabs of {name}, {kind}", each))
    server.stop()


def main() -> None:
    """Print a line for each network and what is shown of it."""
    print(f"{'ms after a key':24} median   95 %")
    for name in NETWORKS:
        in_browser(name)
    asyncio.run(tabs("resnet50"))


if __name__ == "__main__":
    main()
