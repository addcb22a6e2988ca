"""A running server, and pages in headless Chromium."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
DRIVER = shutil.which("chromedriver")


class Server:
    """`archcalc serve` in a process of its own."""

    def __init__(self, folder, *arguments):
        environment = {**os.environ, "ARCHCALC_CACHE": str(folder / "cache")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "archcalc", "serve", "--no-browser", *arguments],
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=folder,
        )
        first = self.process.stderr.readline()
        assert first.startswith("the page is at http://127.0.0.1:"), first + self.process.stderr.read()
        self.link = first.split()[-1]
        self.port = int(self.link.split(":")[2].split("/")[0])
        self.token = self.link.partition("token=")[2]

    def stop(self):
        """Press Ctrl-C; return the exit code and what was said."""
        self.process.send_signal(signal.SIGINT)
        said = self.process.communicate(timeout=60)[1]
        return self.process.returncode, said

    def socket(self, **headers):
        """Open a WebSocket as the page does; other headers and another token can be given."""
        from websockets.sync.client import connect

        token = headers.pop("token", self.token)
        origin = headers.pop("origin", f"http://127.0.0.1:{self.port}")
        return connect(
            f"ws://127.0.0.1:{self.port}/live?token={token}", origin=origin, max_size=None, compression=None, **headers
        )


@pytest.fixture(scope="session")
def extra():
    """Skip without the packages of archcalc[serve]."""
    for package in ("starlette", "uvicorn", "websockets", "django_ace"):
        if package == "django_ace":
            from archcalc.requirements import MissingExtra
            from archcalc.serve.app import editor_folder

            try:
                editor_folder()
            except MissingExtra as missing:
                pytest.skip(str(missing))
        else:
            pytest.importorskip(package)


@pytest.fixture
def serve(extra, tmp_path):
    """Start servers, which end with the test."""
    started = []

    def start(*arguments):
        started.append(Server(tmp_path, *arguments))
        return started[-1]

    yield start
    for server in started:
        server.process.kill()
        server.process.communicate()


@pytest.fixture(scope="module")
def server(extra, tmp_path_factory):
    """A server with a bundled network, for all tests of a file."""
    started = Server(tmp_path_factory.mktemp("serve"), "alexnet")
    yield started
    started.process.kill()
    started.process.communicate()


@pytest.fixture(scope="module")
def chromium():
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("no Chromium: apt-get install chromium chromium-driver")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    hosts = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1400,1000", hosts):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()
