"""The page of a report, as a reader sees it: in headless Chromium, opened from disk."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import SkipTest, TestCase, mock

from parameterized import parameterized

from conformance import page
from conformance.__main__ import main
from conformance.checks import DEFECT, FAIL, KNOWN, NOT_RUN, UNSPECIFIED, VERDICTS
from conformance.findings import Report, Stale, write_text
from tests.reports import finding, report

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
HOSTILE = "</script><img src=x onerror=alert(1)>"
ROW = "hinge_embedding/at_the_kink/float32"
SCRIPT = "import paddle\nprint('received', paddle.ones([1]))\n"
LONG = "input=" + "0x1.0000000000000p+0," * 80

OURS = report(
    finding(
        f"{ROW}/value",
        clause="kink",
        distance=0.5,
        ratio=0.25,
        input="input=1.0 (0x1.0000000000000p+0)",
        histogram=(2, 1, *[0] * 9),
        inputs="input=[1.0, -1.0]",
        expected="[0.0] shape [1] (formula)",
        received="[0.0 (0x0.0p+0)] shape [1]",
    ),
    finding(f"{ROW}/shape", clause="reduction"),
    finding("hinge_embedding/nan/float32/gradient", UNSPECIFIED, "NaN and infinity", text="a NaN"),
    finding("soft_margin/overflow/float32/torch", DEFECT, "C3", text="C3: torch overflows"),
    finding("soft_margin/overflow/float32/modes", NOT_RUN, "C6", text="another profile"),
    finding("soft_margin/row/float64/drop_in", clause="drop-in"),
    implementation="mine.losses",
    environment={"python": "3.11.7", "platform": "Linux-of-a-long-name-without-any-blank"},
    hashes={"suite": "ab" * 32},
    seconds=12.5,
)
THEIRS = report(
    finding(
        f"{ROW}/value",
        FAIL,
        "kink",
        text=f"expected 0, received nan {HOSTILE}",
        distance=float("inf"),
        ratio=float("inf"),
        input="input=1.0 (0x1.0000000000000p+0)",
        histogram=(0, 2, *[0] * 8, 1),
        inputs="input=[1.0, -1.0]",
        expected="[0.0] shape [1] (formula)",
        received="[nan] shape [1]",
        script=SCRIPT,
    ),
    finding(f"{ROW}/shape", KNOWN, "reduction", text="another shape", entry="zero_d"),
    finding("soft_margin/long/float32/value", KNOWN, text=LONG, inputs=LONG, entry="zero_d"),
    *(finding(f"soft_margin/row_{n}/float32/value") for n in range(150)),
    implementation=f"theirs{HOSTILE}",
    version="3.3.1",
    register=[
        {
            "id": "zero_d",
            "versions": "==3.3.*",
            "reason": "An axis too many.",
            "measured": "shape [1]",
            "link": "https://github.com/PaddlePaddle/Paddle/issues/60492",
            "defect": False,
        },
        {"id": "gone", "versions": "", "reason": "", "measured": "", "link": None, "defect": True},
    ],
    stale=[Stale("gone", "soft_margin/*", "150 pass")],
    broken=[("worker 1", "it died\n" + LONG)],
)


def browser_path() -> str:
    """A Chromium.

    Raises:
        SkipTest: there is none, or nothing to drive it with.
    """
    if find_spec("playwright") is None:
        raise SkipTest("playwright is not installed: pip install '.[browser]'")
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise SkipTest(f"no browser: none of {', '.join(BROWSERS)} is installed")
    return found


# Text against what is behind it, by WCAG 2: the least ratio of each of the page's texts.
CONTRASTS = """() => {
  const numbers = (text) => (text.match(/rgba?\\([^)]*\\)/g) ?? [])
    .map((colour) => colour.match(/[\\d.]+/g).map(Number));
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((c) => c / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const style = getComputedStyle(at);
      const several = numbers(style.backgroundImage);
      if (several.length) return several;
      const [plain] = numbers(style.backgroundColor);
      if (plain && plain[3] !== 0) return [plain];
    }
    throw new Error("nothing behind " + element.outerHTML);
  };
  const poor = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
    if (["SCRIPT", "STYLE", "NOSCRIPT", "OPTION"].includes(element.tagName)) continue;
    const style = getComputedStyle(element);
    const text = luminance(numbers(element.closest("svg") ? style.fill : style.color)[0]);
    for (const colour of behind(element)) {
      const back = luminance(colour);
      const ratio = (Math.max(text, back) + 0.05) / (Math.min(text, back) + 0.05);
      if (ratio < 4.5) poor.push(`${ratio.toFixed(2)} ${element.outerHTML.slice(0, 120)}`);
    }
  }
  return poor;
}"""


class Browser(TestCase):
    """Opens pages, and fails where one says anything on the console or asks for anything."""

    @classmethod
    def setUpClass(cls) -> None:
        path = browser_path()
        from playwright.sync_api import sync_playwright

        folder = TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.path = Path(folder.name, "page.html")
        page.write([OURS, THEIRS], cls.path)
        playwright = sync_playwright().start()
        cls.addClassCleanup(playwright.stop)
        # A sandbox needs what containers seldom give, and root never has.
        sandbox = [] if os.name != "posix" or os.getuid() else ["--no-sandbox"]
        cls.browser = playwright.chromium.launch(executable_path=path, args=sandbox)
        cls.addClassCleanup(cls.browser.close)

    def opened(self, fragment: str = "", width: int = 1280, **more: Any) -> Any:
        """The page, unpacked."""
        context = self.browser.new_context(viewport={"width": width, "height": 900}, **more)
        self.addCleanup(context.close)
        shown = context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        shown.on("console", lambda message: self.said.append(message.text))
        shown.on("pageerror", lambda error: self.said.append(str(error)))
        shown.on("request", lambda request: self.asked.append(request.url))
        shown.goto(self.path.as_uri() + fragment)
        if more.get("java_script_enabled", True):
            shown.wait_for_selector(".filters:not([hidden])")
        return shown

    def ids(self, shown: Any) -> list[str]:
        """The cases that are listed."""
        found: list[str] = [
            case.get_attribute("data-id") for case in shown.query_selector_all("details.case")
        ]
        return found

    def test_opens_from_disk_quietly_and_alone(self) -> None:
        shown = self.opened()
        self.assertEqual(self.asked, [self.path.as_uri()])
        self.assertEqual(self.said, [])
        self.assertIsNone(shown.query_selector("img"))
        self.assertEqual(shown.locator("#found").inner_text(), "159 checks in 155 of 155 cases")

    @parameterized.expand([(1280, "light"), (1280, "dark"), (400, "light"), (400, "dark")])
    def test_fits_and_can_be_read(self, width: int, scheme: str) -> None:
        shown = self.opened(f"#cases?case={ROW}", width, color_scheme=scheme)
        for details in shown.query_selector_all("details:not([open])"):
            details.evaluate("one => { one.open = true; }")
        over = shown.evaluate("document.documentElement.scrollWidth - innerWidth")
        self.assertLessEqual(over, 0)
        self.assertEqual(shown.evaluate(CONTRASTS), [])
        background = shown.evaluate("getComputedStyle(document.body).backgroundColor")
        self.assertEqual(background == "rgb(18, 21, 24)", scheme == "dark")

    def test_what_matters_is_there_without_scripts(self) -> None:
        shown = self.opened(java_script_enabled=False)
        text = shown.inner_text("body")
        for expected in (
            "Correct",
            "100 %",
            "An axis too many.",
            "shape [1]",
            "150 pass",
            "it died",
        ):
            self.assertIn(expected, text)
        self.assertTrue(shown.is_visible("noscript"))
        self.assertTrue(shown.is_visible(".scoreboard td.fail"))
        self.assertTrue(shown.is_visible("svg rect"))

    def test_every_table_has_a_caption_and_every_head_a_scope(self) -> None:
        shown = self.opened(f"#cases?case={ROW}")
        bare = "[...document.querySelectorAll('table')].filter(t => !t.caption).length"
        self.assertEqual(shown.evaluate(bare), 0)
        self.assertEqual(shown.locator("th:not([scope])").count(), 0)

    def test_a_case_unfolds(self) -> None:
        shown = self.opened()
        shown.click(f"details.case[data-id='{ROW}'] > summary")
        body = shown.locator(f"details.case[data-id='{ROW}'] .body")
        text = body.inner_text()
        for expected in (
            "input=[1.0, -1.0]",
            "[0.0] shape [1] (formula)",
            "[nan] shape [1]",
            "0.5 ULP, 25 % of the budget",
            "∞ ULP, ∞ of the budget",
            "input=1.0 (0x1.0000000000000p+0)",
            HOSTILE,
            "zero_d",
        ):
            self.assertIn(expected, text)
        body.locator(".script summary", has_text="Script that reproduces it").first.click()
        self.assertEqual(body.locator(".script[open] pre").first.inner_text(), SCRIPT)
        command = f"python -m conformance reproduce -i mine.losses {ROW}/value"
        self.assertIn(command, body.locator("pre").all_text_contents())

    def test_a_script_is_copied(self) -> None:
        shown = self.opened(f"#cases?case={ROW}", permissions=["clipboard-read", "clipboard-write"])
        shown.locator(".script summary", has_text="Script that reproduces it").first.click()
        shown.locator(".script[open] button").first.click()
        shown.locator(".script[open] button", has_text="Copied").first.wait_for()
        self.assertEqual(shown.evaluate("navigator.clipboard.readText()"), SCRIPT)

    @parameterized.expand(
        [
            ("loss=hinge_embedding", 2),
            ("clause=kink", 1),
            ("verdict=FAIL", 1),
            ("verdict=known difference", 2),
            ("verdict=not run", 1),
            ("verdict=known difference&by=A", 0),
            ("text=zero_d", 2),
            ("text=TORCH OVERFLOWS", 1),
            ("loss=hinge_embedding&verdict=conformant&by=A&text=kink", 1),
            ("case=soft_margin/row_7/float32", 1),
        ]
    )
    def test_an_address_filters(self, query: str, count: int) -> None:
        shown = self.opened(f"#cases?{query.replace(' ', '+')}")
        self.assertEqual(len(self.ids(shown)), count)

    def test_the_form_filters_and_writes_the_address(self) -> None:
        shown = self.opened()
        shown.select_option("[name=loss]", "hinge_embedding")
        shown.fill("[name=text]", "a nan")
        shown.locator("#found", has_text="1 checks in 1 of").wait_for()
        self.assertEqual(self.ids(shown), ["hinge_embedding/nan/float32"])
        self.assertIn("#cases?loss=hinge_embedding&text=a+nan", shown.url)
        shown.click("button[type=reset]")
        shown.locator("#found", has_text="155 of 155").wait_for()

    def test_a_cell_of_the_scoreboard_leads_to_its_checks(self) -> None:
        shown = self.opened()
        shown.click(".scoreboard td.fail a")
        shown.locator("#found", has_text="1 checks in 1 of").wait_for()
        self.assertEqual(self.ids(shown), [ROW])
        self.assertEqual(shown.input_value("[name=clause]"), "kink")
        self.assertEqual(shown.input_value("[name=by]"), "B")

    def test_failures_come_first_and_more_are_shown_when_asked_for(self) -> None:
        shown = self.opened()
        first = self.ids(shown)
        self.assertEqual((first[0], len(first)), (ROW, 60))
        shown.click("#more")
        shown.click("#more")
        self.assertEqual(len(set(self.ids(shown))), 155)
        self.assertFalse(shown.is_visible("#more"))

    def test_the_keyboard_reaches_a_case(self) -> None:
        shown = self.opened("#cases?verdict=FAIL")
        shown.focus("details.case > summary")
        shown.keyboard.press("Enter")
        shown.wait_for_selector(".case .body", state="visible", timeout=5000)
        width = shown.evaluate("getComputedStyle(document.activeElement).outlineWidth")
        self.assertEqual(width, "2px")


class Text(TestCase):
    """What needs no browser."""

    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name, "page.html")

    def test_names_no_address_but_links(self) -> None:
        page.write([OURS, THEIRS], self.path)
        text = self.path.read_text(encoding="utf-8")
        self.assertIn("default-src 'none'", text)
        link = '<a href="https://github.com/PaddlePaddle/Paddle/issues/60492"'
        self.assertEqual(text.replace(link, "").count('href="http'), 0)
        self.assertNotIn(HOSTILE, text)

    def test_a_part_of_the_checks_is_called_so(self) -> None:
        page.write([replace(OURS, whole=False)], self.path)
        text = self.path.read_text(encoding="utf-8")
        self.assertIn("No failure in a part of the checks", text)

    def test_each_verdict_has_a_mark_and_a_style_of_its_own(self) -> None:
        for made in (page.MARKS, page.KINDS):
            self.assertEqual(list(made), list(VERDICTS))
            self.assertEqual(len(set(made.values())), len(VERDICTS))

    @parameterized.expand(
        [
            (0, 0, "0"),
            (0, 9, "0"),
            (9, 9, "100"),
            (9999, 10000, "99.9"),
            (1, 10000, "0.1"),
            (1, 2, "50"),
        ]
    )
    def test_a_share_is_100_only_where_all_agree(self, part: int, whole: int, text: str) -> None:
        self.assertEqual(page.share_text((part, whole)), text)

    def test_a_loss_that_is_no_longer_in_the_suite_is_shown(self) -> None:
        page.write([report(finding("older_loss/row/float32/value", clause="C0"))], self.path)
        self.assertIn("older_\u200bloss", self.path.read_text(encoding="utf-8"))

    @parameterized.expand([("write_text", OSError), ("replace", KeyboardInterrupt)])
    def test_an_interrupted_write_leaves_the_old_page(
        self, step: str, interruption: type[BaseException]
    ) -> None:
        write_text(self.path, "old")
        broken = mock.patch.object(Path, step, side_effect=interruption)
        with broken, self.assertRaises(interruption):
            page.write([OURS], self.path)
        self.assertEqual(self.path.read_text(encoding="utf-8"), "old")
        self.assertEqual(len(list(self.path.parent.iterdir())), 1)

    def test_the_command_writes_reports_side_by_side(self) -> None:
        files = [self.path.with_name(name) for name in ("a.json", "b.json")]
        for made, path in zip((OURS, THEIRS), files):
            made.write(path)
        self.assertEqual(main(["page", str(self.path), *map(str, files)]), 0)
        expected = self.path.with_name("expected.html")
        page.write([Report.read(path) for path in files], expected)
        self.assertEqual(self.path.read_bytes(), expected.read_bytes())
