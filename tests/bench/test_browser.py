"""The dashboard in a real browser: headless Chromium from the distribution's packages, driven by Selenium.

Screenshots go to the folder that ``FASTNN_SCREENSHOTS`` names, by default ``out/dashboard`` in the project.
"""

import functools
import http.server
import json
import os
import shutil
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCREENSHOTS = Path(os.environ.get("FASTNN_SCREENSHOTS", ROOT / "out" / "dashboard"))
PHONE = (390, 844)

# Texts whose colour and background have less contrast than WCAG 2's level AA asks for.
FAINT = """
const luminance = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const parts = colour => colour.match(/[\\d.]+/g).map(Number);
function background(element) {
    for (; element; element = element.parentElement) {
        const found = parts(getComputedStyle(element).backgroundColor);
        if (found.length === 3 || found[3] > 0) return found;
    }
    return [255, 255, 255];
}
const faint = new Set();
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
    const element = walker.currentNode.parentElement, style = getComputedStyle(element);
    if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest("svg")) continue;
    const pair = [luminance(parts(style.color)), luminance(background(element))].sort((a, b) => b - a);
    const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (ratio < 4.5) faint.add(`${ratio.toFixed(2)} ${element.className}: ${walker.currentNode.data.trim()}`);
}
return [...faint];
"""


class Browser:
    """A window; what it asks for and complains about."""

    def __init__(self, driver):
        self.driver = driver

    def open(self, address):
        """Load a page anew: an address that differs after # only would not."""
        self.driver.get("about:blank")
        self.driver.get(address)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def wait(self, script, *arguments):
        """Wait until a script returns something true; returns that."""
        from selenium.webdriver.support.ui import WebDriverWait

        # A minute: much longer than any page takes, also on a machine that does other things as well.
        return WebDriverWait(self.driver, 60, poll_frequency=0.02).until(
            lambda driver: driver.execute_script(script, *arguments), f"waited for {script} {arguments}"
        )

    def size(self, width, height):
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def system_prefers(self, theme):
        feature = [{"name": "prefers-color-scheme", "value": theme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": feature})

    def complaints(self):
        """What is in the console since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self):
        """Addresses asked for since the last call."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
        return [url for url in asked if not url.startswith(("about:", "data:"))]

    def screenshot(self, name, height=None):
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        assert self.driver.save_screenshot(str(SCREENSHOTS / f"{name}.png"))

    def click(self, selector):
        from selenium.webdriver.common.by import By

        self.driver.find_element(By.CSS_SELECTOR, selector).click()

    def texts(self, selector):
        return self.run("return [...document.querySelectorAll(arguments[0])].map(e => e.innerText.trim())", selector)


@pytest.fixture(scope="module")
def window():
    selenium = pytest.importorskip("selenium.webdriver", reason="needs Selenium: pip install selenium")
    from selenium.webdriver.chrome.service import Service

    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    chromedriver = shutil.which("chromedriver")
    if not chromium or not chromedriver:
        pytest.skip("needs Chromium and its driver: apt install chromium chromium-driver")
    options = selenium.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = selenium.Chrome(options=options, service=Service(chromedriver))
    try:
        yield Browser(driver)
    finally:
        driver.quit()


@pytest.fixture
def browser(window, whole):
    """A window of the usual size, with nothing remembered, on the dashboard's page."""
    window.size(1280, 900)
    window.system_prefers("light")
    window.open(whole.as_uri() + "/index.html")
    window.run("localStorage.clear()")
    window.open(whole.as_uri() + "/index.html")
    return window


@pytest.fixture(scope="module")
def server(whole):
    """Address of a server of the folder."""
    quiet = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *arguments: None})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(quiet, directory=str(whole))) as serving:
        thread = threading.Thread(target=serving.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()
        thread.join()


def draws(browser):
    """Wait for asv's graph, with both lines if its address asks for two: it is drawn anew as each is loaded."""
    # Flot has drawn where its canvas has something that is not transparent. Read from a copy: Chromium would remark on it.
    # Lines have labels if there are several.
    script = """
        const canvas = document.querySelector('#main-graph canvas.flot-base');
        if (!canvas || !canvas.width || document.querySelectorAll('#main-graph canvas').length !== 2) return false;
        const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', {willReadFrequently: true});
        copy.drawImage(canvas, 0, 0);
        return copy.getImageData(0, 0, canvas.width, canvas.height).data.some(value => value !== 0)
            && document.querySelectorAll('#main-graph .legendLabel').length >= (/[?&]p-impl=/.test(location) ? 2 : 0);
    """
    browser.wait(script)


def test_page_from_disk_complains_about_nothing_and_stays_in_its_folder(browser, whole):
    browser.requests(), browser.complaints()
    for page in sorted(whole.glob("*.html")):
        browser.open(page.as_uri())
    assert browser.complaints() == []
    asked = browser.requests()
    assert len(asked) > 20
    assert [url for url in asked if not url.startswith(whole.as_uri() + "/")] == []


def test_every_row_opens_a_graph(browser, whole):
    links = browser.run("return [...document.querySelectorAll('tbody tr th a')].map(a => a.href)")
    rows = browser.run("return document.querySelectorAll('#kernels tbody tr, #networks tbody tr, #costs tbody tr').length")
    assert len(links) == rows > 80
    browser.requests(), browser.complaints()
    # All of them, without loading asv's scripts again for each; from the last to the first, as an address that is there
    # already loads nothing.
    browser.open(links[-1])
    draws(browser)
    for link in links:
        browser.run(
            "document.querySelector('#main-graph').replaceChildren(); location.hash = arguments[0]", link.partition("#")[2]
        )
        browser.wait("return $('#title').text() === arguments[0]", link.partition("#")[2].partition("?")[0])
        draws(browser)
    assert browser.complaints() == []
    assert [url for url in browser.requests() if not url.startswith(whole.as_uri() + "/")] == []


@pytest.mark.parametrize(
    "selector", ["#kernels td.history a", "#kernels td.step a", "#changes .moves a", "a.bar", "#kernels .pill a"]
)
def test_links_open_the_graph_they_name(browser, selector):
    link = browser.run("return document.querySelector(arguments[0]).href", selector)
    browser.run("document.querySelector(arguments[0]).scrollIntoView({block: 'center'})", selector)
    browser.run("document.querySelector(arguments[0]).click()", selector)
    draws(browser)
    assert browser.run("return location.href") == link
    assert browser.run("return $('#title').text()") == link.partition("#")[2].partition("?")[0]
    assert browser.complaints() == []
    browser.screenshot("graph")


@pytest.mark.parametrize("place", ["disk", "server"])
def test_graphs_of_a_machine_whose_name_has_a_blank(browser, whole, server, place):
    browser.complaints()
    browser.open(f"{whole.as_uri() if place == 'disk' else server}/on-my-laptop-8-threads.html")
    browser.run("document.querySelector('#kernels tr[data-words*=\"16 filters\"] td.history a').click()")
    draws(browser)
    assert "My%20laptop" in browser.run("return location.href") and browser.complaints() == []


def test_graphs_of_another_machine(browser, whole):
    browser.open((whole / "on-epyc-2-1-thread.html").as_uri())
    link = browser.run("return document.querySelector('#kernels td.history a').href")
    browser.open(link)
    draws(browser)
    assert browser.run("return document.querySelector('#range').value").count("..") == 1  # two runs, those of this setting


def test_asv_pages_from_disk(browser, whole):
    for place, shows in (
        ("summarylist", "#summarylist-body tbody tr"),
        ("regressions", "#regressions-body table"),
        ("", ".benchmark-plot canvas"),
    ):
        browser.open(f"{whole.as_uri()}/asv.html#/{place}")
        assert browser.wait("return document.querySelectorAll(arguments[0]).length", shows)
    browser.click("#nav a[href='index.html']")
    assert "Numba against NumPy" in browser.wait("return document.querySelector('h1')?.innerText")
    assert browser.complaints() == []


def test_asv_calls_no_improvement_a_regression(browser, whole):
    browser.open(f"{whole.as_uri()}/asv.html#/regressions")
    browser.wait("return document.querySelectorAll('#regressions-body tbody tr').length")
    named = browser.texts("#regressions-body tbody tr td:first-child")
    assert named and all("SoftmaxForward.time_kernel" in name for name in named)


def test_from_a_server(browser, whole, server):
    browser.requests(), browser.complaints()
    browser.open(f"{server}/")
    assert "Numba against NumPy" in browser.texts("h1")[0]
    browser.run("document.querySelector('#kernels tr[data-words*=\"16 filters\"] td.history a').click()")
    draws(browser)
    assert browser.complaints() == []
    assert [url for url in browser.requests() if not url.startswith(server + "/")] == []


def test_old_addresses_of_asv_lead_to_it(browser, whole):
    browser.open(f"{whole.as_uri()}/index.html#conv.Conv2dForward.time_kernel?machine=epyc-2")
    draws(browser)
    assert "/asv.html#conv.Conv2dForward" in browser.run("return location.href")


def values(browser, section, column):
    """Values that a column sorts by, in the order of the rows."""
    script = "return [...document.querySelectorAll(`#${arguments[0]} tbody tr`)].map(r => r.cells[arguments[1]].dataset.value)"
    return browser.run(script, section, column)


def test_sorting(browser):
    before = values(browser, "kernels", 2)
    for direction, reverse in (("descending", True), ("ascending", False)):
        browser.click("#kernels thead th:nth-child(3) button")
        assert browser.run("return document.querySelector('#kernels th:nth-child(3)').ariaSort") == direction
        found = values(browser, "kernels", 2)
        figures = [float(value) for value in found if value]
        assert sorted(found) == sorted(before) and figures == sorted(figures, reverse=reverse)
        assert found[-1] == ""  # the benchmark that failed
    browser.click("#kernels thead th:nth-child(1) button")
    names = values(browser, "kernels", 0)
    assert names == sorted(names) and names[0] == "adam_update"
    assert browser.run("return document.querySelectorAll('#kernels th[aria-sort]').length") == 1
    browser.click("#networks thead th:nth-child(3) button")
    rates = list(map(float, values(browser, "networks", 2)))
    assert rates == sorted(rates, reverse=True)


def test_finding(browser):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import Select

    def shown():
        return browser.run("return [...document.querySelectorAll('#kernels tbody tr:not([hidden])')].map(r => r.dataset.words)")

    everything = len(shown())
    find = browser.driver.find_element(By.CSS_SELECTOR, "form.filter input")
    find.send_keys("CONV2D lenet")
    assert len(shown()) == 4 and all("conv2d" in words and "lenet" in words for words in shown())
    assert browser.texts("form.filter output") == ["4 rows"]
    find.clear()
    find.send_keys("filters forward")
    assert shown() and all("16 filters 5x5" in words and "forward" in words for words in shown())
    find.clear()
    find.send_keys(" ")
    assert len(shown()) == everything
    Select(browser.driver.find_element(By.CSS_SELECTOR, "form.filter select")).select_by_value("im2col")
    assert len(shown()) == 8


def test_light_and_dark(browser):
    def page():
        return browser.run("return getComputedStyle(document.body).backgroundColor")

    def reload():
        browser.driver.refresh()

    light = page()
    browser.system_prefers("dark")
    dark = page()
    assert light != dark, "follows the system"
    assert browser.texts("#theme") == ["Light"]
    browser.click("#theme")
    assert page() == light and browser.texts("#theme") == ["Dark"]
    reload()
    assert page() == light, "remembers what was chosen"
    browser.click("#theme")
    browser.system_prefers("light")
    reload()
    assert page() == dark and browser.texts("#theme") == ["Light"]
    assert browser.complaints() == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE[0], 1280])
def test_contrast(browser, theme, width):
    browser.size(width, 900)
    browser.system_prefers(theme)
    assert browser.run(FAINT) == []


@pytest.mark.parametrize("width", [320, PHONE[0], 768, 1024, 1280, 1920])
def test_nothing_is_wider_than_the_page(browser, width):
    browser.size(width, 900)
    assert browser.run("return document.documentElement.scrollWidth") <= width
    # Tables may be wider than a window, and scroll; on a phone they are not.
    if width <= PHONE[0]:
        wider = "return [...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth).length"
        assert browser.run(wider) == 0


def test_phones_have_cards_that_sort(browser):
    browser.size(*PHONE)
    heights = browser.run("return [...document.querySelectorAll('#kernels tbody tr')].map(r => r.offsetHeight)")
    assert min(heights) > 60
    browser.click("#kernels thead th:nth-child(3) button")
    figures = [float(value) for value in values(browser, "kernels", 2) if value]
    assert figures == sorted(figures, reverse=True)


@pytest.mark.parametrize(
    "name, size, theme", [("light", (1280, 1700), "light"), ("dark", (1280, 1700), "dark"), ("phone", PHONE, "light")]
)
def test_screenshots(browser, name, size, theme):
    browser.size(*size)
    browser.system_prefers(theme)
    browser.screenshot(name)
    assert (SCREENSHOTS / f"{name}.png").stat().st_size > 20_000
