"""The page of a trial in a real browser: a trial conducted by keyboard alone, at any zoom, beside a hostile page."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from attrs import define, field

from doselang.cli import run
from doselang.record.reading import verify
from doselang.resources import resource
from doselang.trial.opening import open_trial

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="there is no Chromium here: `apt-get install chromium chromium-driver`"
)

PROTOCOL = str(resource("protocols", "ibrutinib-lenalidomide.dose"))
TODAY = date.today()
FIRST = TODAY - timedelta(120)
MOST_TABS = 80
"""No page has more places that take the focus."""

Capture = pytest.CaptureFixture[str]


def day(number: int) -> date:
    return FIRST + timedelta(number)


# ---- the served trial, and the browser ----


@define
class Served:
    """A trial that is served by a process of its own."""

    folder: Path
    process: subprocess.Popen[str]
    start: str
    printed: list[str] = field(factory=list)

    @property
    def content(self) -> bytes:
        return (self.folder / "record.jsonl").read_bytes()

    @property
    def port(self) -> int:
        return urlsplit(self.start).port or 0


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served") / "trial"
    assert run(["trial", "init", str(folder), PROTOCOL, "--on", FIRST.isoformat(), "--actor", "Ann"]) == 0
    command = [sys.executable, "-m", "doselang", "serve", str(folder), "--no-browser"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        printed: list[str] = []
        while not printed or "start?secret=" not in printed[-1]:
            printed.append(process.stdout.readline())
            assert printed[-1], printed
        found = Served(folder, process, printed[-1].strip(), printed)
        try:
            yield found
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
            assert "Traceback" not in process.stdout.read()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    profile = tmp_path_factory.mktemp("profile")
    for argument in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--lang=en-US",
        "--window-size=1280,900", "--no-first-run", f"--user-data-dir={profile}",
    ):  # fmt: skip
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=Service(DRIVER, env={**os.environ, "LANG": "en_US.UTF-8"}))
    driver.set_page_load_timeout(20)
    try:
        yield driver
    finally:
        driver.quit()


@define
class Coordinator:
    """Somebody who uses the page by keyboard alone."""

    driver: Any
    served: Served

    @property
    def room(self) -> str:
        address = urlsplit(self.driver.current_url)
        return f"{address.scheme}://{address.netloc}/{address.path.split('/')[1]}"

    def text(self) -> str:
        return str(self.driver.find_element("tag name", "body").text)

    def go(self, page: str = "") -> None:
        self.driver.get(f"{self.room}/{page}")

    def press(self, keys: str) -> None:
        self.driver.switch_to.active_element.send_keys(keys)

    def tab_to(self, css: str, words: str = "") -> None:
        """Press Tab until an element has the focus; it must be seen that it has."""
        at = (
            "const at = document.activeElement;"
            "const found = at.matches(arguments[0]) && at.innerText.includes(arguments[1]);"
            "return [found, getComputedStyle(at).outlineStyle]"
        )
        for _ in range(MOST_TABS):
            webdriver.ActionChains(self.driver).send_keys(Keys.TAB).perform()
            found, outline = self.driver.execute_script(at, css, words)
            if found:
                assert outline == "solid", css
                return
        raise AssertionError(f"the focus never comes to {css} {words}")

    def follow(self, words: str) -> None:
        """Go on by the link with some words."""
        self.tab_to("main a", words)
        self._sent()

    def _sent(self) -> None:
        """Press Enter, and wait for the next page."""
        before = self.driver.find_element("tag name", "html")
        self.press(Keys.ENTER)
        WebDriverWait(self.driver, 15).until(lambda _: _is_gone(before))
        WebDriverWait(self.driver, 15).until(
            lambda driver: driver.execute_script("return document.readyState") == "complete"
        )

    def fill(self, **words: str | date) -> None:
        """Fill in the fields in their order, and send the form by Enter in the last one, or by its button."""
        for name, word in words.items():
            self.tab_to(f"#{name}")
            active = self.driver.switch_to.active_element
            if active.tag_name == "select":
                active.send_keys(str(word))
                chosen = self.driver.execute_script("return arguments[0].selectedOptions[0].text", active)
                assert chosen.startswith(str(word))
            else:
                active.send_keys(Keys.CONTROL, "a")
                active.send_keys(str(word))
        self.tab_to("main button")
        self._sent()

    def confirm(self) -> None:
        """Enter what is shown."""
        assert self.driver.find_element("tag name", "h1").text == "Confirm", self.text()
        self.tab_to("#enter")
        self._sent()
        assert "It is entered." in self.text()


def _is_gone(element: Any) -> bool:
    from selenium.common.exceptions import StaleElementReferenceException

    try:
        element.is_enabled()
    except StaleElementReferenceException:
        return True
    return False


@pytest.fixture(scope="module")
def coordinator(chromium: Any, served: Served) -> Coordinator:
    chromium.get(served.start)
    WebDriverWait(chromium, 15).until(lambda driver: driver.title.startswith("The trial –"))
    return Coordinator(chromium, served)


# ---- a trial, by keyboard ----


def as_next_says(coordinator: Coordinator, folder: Path, capsys: Capture) -> None:
    """The page shows what `doselang next` says of the exported tables."""
    tables = folder / f"export-{len(list(folder.iterdir()))}"
    tables.mkdir()
    assert run(["trial", "export", str(coordinator.served.folder), "--to", str(tables / "trial.toml")]) == 0
    begun = len(open_trial(coordinator.served.folder).entries) > 1
    capsys.readouterr()
    assert run(["next", PROTOCOL, str(tables / "trial.toml"), *(["--on", TODAY.isoformat()] if begun else [])]) == 0
    said, since = capsys.readouterr().out, f"On {TODAY}:" if begun else "Before the first patient"
    said = said[said.index(since) :].strip()
    coordinator.go()
    shown = coordinator.driver.find_element("css selector", "#printed pre").get_attribute("textContent")
    assert shown[shown.index(since) : shown.index("Record:")].strip() == said
    now = re.search(r"^  now +(.*)$", said, re.MULTILINE)
    assert now and coordinator.driver.find_element("id", "now").text.lower() == now[1].lower()


def test_a_trial_by_keyboard_alone(coordinator: Coordinator, tmp_path: Path, capsys: Capture) -> None:
    """First patient, outcomes, a refused enrolment, a deviation with its reason, a correction."""
    served, driver = coordinator.served, coordinator.driver
    as_next_says(coordinator, tmp_path, capsys)

    for number in (1, 2, 3):
        coordinator.go()
        coordinator.follow("Enrol a patient")
        coordinator.fill(patient=f"0{number}", on=day(number), actor="Ann Lee")
        assert f"0{number} entered at level 1, on {day(number)}" in coordinator.text()
        coordinator.confirm()
        as_next_says(coordinator, tmp_path, capsys)
    for number in (1, 2, 3):
        coordinator.go()
        coordinator.follow(f"Enter the outcome of 0{number}")
        coordinator.fill(outcome="no toxicity", on=day(number + 28))
        coordinator.confirm()
    as_next_says(coordinator, tmp_path, capsys)
    assert "3 patients may enter at level 2" in coordinator.text()

    before = served.content
    coordinator.follow("A patient entered")
    coordinator.fill(patient="04", level="level 3", on=day(40))
    assert "This is not as the rules say: 04 entered at level 3." in coordinator.text()
    assert served.content == before, "refused"
    coordinator.fill(deviation="The sponsor asked for it")
    assert "Deviation. This is not as the rules say." in coordinator.text() and served.content == before
    coordinator.confirm()
    as_next_says(coordinator, tmp_path, capsys)
    assert "The trial has left its protocol." in coordinator.text()

    driver.get(f"{coordinator.room}/entry/6")
    coordinator.follow("Correct this entry")
    coordinator.fill(outcome="DLT", on=day(20), reason="Grade 4 in the source")
    assert "would be judged otherwise" in coordinator.text() or "judged otherwise" in coordinator.text()
    coordinator.confirm()
    as_next_says(coordinator, tmp_path, capsys)

    kinds = [one.entry.kind for one in open_trial(served.folder).entries]
    assert kinds == ["begin", *["enrol"] * 3, *["outcome"] * 3, "enrol", "correct"]
    assert {one.entry.actor for one in open_trial(served.folder).entries[1:]} == {"Ann Lee"}
    assert verify(served.folder).is_right


def test_the_skip_link_leads_to_the_content(coordinator: Coordinator) -> None:
    coordinator.go()
    coordinator.press(Keys.TAB)
    active = coordinator.driver.switch_to.active_element
    assert active.text == "Skip to the content" and active.is_displayed()
    active.send_keys(Keys.ENTER)
    assert coordinator.driver.current_url.endswith("#content")


PAGES = ("", "record", "paths", "sign", "add/enrol", "add/outcome", "add/cycle", "add/note", "entry/8", "correct/8")


@pytest.mark.parametrize("width", [640, 320])
def test_at_200_and_400_per_cent_nothing_is_scrolled_sideways(width: int, coordinator: Coordinator) -> None:
    """A window of 1280 points at 200 % has room for 640, at 400 % for 320."""
    driver = coordinator.driver
    metrics = {"width": width, "height": 450, "deviceScaleFactor": 2, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        for page in PAGES:
            coordinator.go(page)
            assert driver.execute_script("return innerWidth") == width
            wide = driver.execute_script("return document.documentElement.scrollWidth")
            assert wide <= width, (page, wide)
    finally:
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_what_is_printed(coordinator: Coordinator) -> None:
    """The decision and the tables, without what is for the screen alone."""
    driver = coordinator.driver
    coordinator.go()
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        found = "[...document.querySelectorAll('nav, .steps, form')]"
        hidden = driver.execute_script(f"return {found}.every(one => getComputedStyle(one).display == 'none')")
        assert hidden and driver.find_element("id", "now").is_displayed()
        assert "Head" in coordinator.text() and "Patients" in coordinator.text()
    finally:
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


# ---- a hostile page in the same browser ----

ATTACK = """<!DOCTYPE html><title>attack</title>
<form id="form" method="post" action="{room}/{post}"><input name="token" value="{token}">
<input name="form_token" value="{form_token}"><input name="text" value="evil"><input name="actor" value="Eve"></form>
<script>
const room = "{room}", found = {{}};
const told = (name, work) => work.then(what => found[name] = what, error => found[name] = "refused: " + error.name);
const body = new URLSearchParams({{token: "{token}", form_token: "{form_token}"}});
const framed = () => new Promise(done => {{
  const frame = document.createElement("iframe"); frame.src = room + "/";
  frame.onload = () => {{ let text = "";
    try {{ text = frame.contentDocument.body.innerText }} catch (error) {{ text = "refused: " + error.name }}
    done(text) }};
  document.body.append(frame) }});
const pictured = () => new Promise((done, fail) => {{
  const picture = new Image(); picture.onload = () => done("seen"); picture.onerror = () => fail(new Error("no"));
  picture.src = room + "/" }});
const styled = () => new Promise((done, fail) => {{
  const style = document.createElement("link"); style.rel = "stylesheet"; style.href = "{style}";
  style.onload = () => done("seen"); style.onerror = () => fail(new Error("no")); document.head.append(style) }});
window.attack = async () => {{
  await told("read", fetch(room + "/", {{credentials: "include"}}).then(got => got.text()));
  await told("write", fetch(room + "/enter", {{method: "POST", body, credentials: "include"}}).then(got => got.text()));
  await told("blind", fetch(room + "/enter", {{method: "POST", body, credentials: "include", mode: "no-cors"}})
    .then(got => got.type + got.status));
  await told("picture", pictured()); await told("frame", framed()); await told("style", styled());
  return found }};
</script>
"""


@define
class Hostile:
    """A server at another port, whose page attacks; it keeps the cookies that it is sent."""

    pages: dict[str, str] = field(factory=dict)
    cookies: list[str] = field(factory=list)
    server: Any = None

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])


@pytest.fixture(scope="module")
def hostile() -> Iterator[Hostile]:
    found = Hostile()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.cookies.append(self.headers.get("Cookie", ""))
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(found.pages.get("/", "").encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    found.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=found.server.serve_forever, daemon=True)
    thread.start()
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_a_page_of_another_origin_neither_reads_nor_writes(
    name: str, coordinator: Coordinator, hostile: Hostile
) -> None:
    """It is even told the secret addresses and the tokens; 127.0.0.1 at another port is the same site to a browser."""
    driver, served, room = coordinator.driver, coordinator.served, coordinator.room
    coordinator.go("add/note")
    coordinator.fill(text="shown, and not confirmed", on=TODAY, actor="Ann Lee")
    tokens = {one: driver.find_element("name", one).get_attribute("value") for one in ("token", "form_token")}
    before = served.content
    style = f"http://127.0.0.1:{served.port}/page.css"
    hostile.pages["/"] = ATTACK.format(room=room, post="enter", style=style, **tokens)
    attacker = f"http://{name}:{hostile.port}/"

    driver.get(attacker)
    found = driver.execute_async_script("window.attack().then(arguments[arguments.length - 1])")
    assert {key: found[key] for key in ("read", "write", "picture", "style")} == dict.fromkeys(
        ("read", "write"), "refused: TypeError"
    ) | dict.fromkeys(("picture", "style"), "refused: Error")
    assert found["blind"] in ("opaque0", "refused: TypeError") and "myeloma" not in found["frame"]
    assert served.content == before

    for post in ("enter", "add/note"):
        hostile.pages["/"] = ATTACK.format(room=room, post=post, style=style, **tokens)
        driver.get(attacker)
        driver.execute_script("document.getElementById('form').submit()")
        WebDriverWait(driver, 15).until(lambda found: found.title == "Not shown")
        assert "myeloma" not in coordinator.text() and served.content == before
    driver.get(attacker)
    driver.execute_script("location = arguments[0]", f"{room}/")
    WebDriverWait(driver, 15).until(lambda found: found.title == "Not shown")
    assert hostile.cookies and not any("doselang" in one for one in hostile.cookies)

    driver.get(f"{room}/")
    assert driver.title.startswith("The trial –"), "the coordinator's own page is there as before"
    assert served.content == before


def test_another_browser_sees_nothing(coordinator: Coordinator) -> None:
    driver, room = coordinator.driver, coordinator.room
    kept = driver.get_cookies()
    driver.get(f"{room}/")
    driver.delete_all_cookies()
    driver.get(f"{room}/")
    assert driver.title == "Not shown" and "myeloma" not in coordinator.text()
    driver.get(coordinator.served.start)
    assert driver.title == "Not shown", "the address was used before"
    assert len(kept) == 1 and kept[0]["httpOnly"] and kept[0]["sameSite"] == "Strict"
