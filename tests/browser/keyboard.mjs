// A day's work with nothing but Tab, Enter and letters; wherever the focus stops, it is seen.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ITEM, OFFICER, fresh, signIn, visitor } from "./house.mjs";

/** No page has more stops than this before what is looked for. */
const STOPS = 150;

test("with the keyboard alone: sign in, find it, report progress, leave", async (t) => {
  const page = await visitor(t);
  const progress = fresh("完成初验");

  await page.goto("/sign-in");
  await tabTo(page, OFFICER);
  await page.keyboard.press("Enter");
  await page.waitForURL("**/todo");

  await tabTo(page, ITEM);
  await tabTo(page, "报告进展");
  await page.keyboard.press("Enter");
  await page.waitForURL(/do\/report_progress/);

  await tabTo(page, "最近进展");
  await page.keyboard.press("Control+A");
  await page.keyboard.insertText(progress);
  await tabTo(page, "完成比例");
  await page.keyboard.type("90");
  await tabTo(page, "报告进展");
  await page.keyboard.press("Enter");

  await page.waitForURL(`**/items/${ITEM}?did=*`);
  assert.equal(await page.getByRole("status").innerText(), "已记录：报告进展");
  assert.equal(await page.locator(".timeline").getByText(progress, { exact: true }).count(), 1);

  await tabTo(page, "退出");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/sign-in");
});

test("the first stop skips the bar on top", async (t) => {
  const page = await visitor(t);
  await signIn(page, OFFICER);
  await page.goto("/todo");
  const bar = await page.locator("header.top").evaluate((bar) => bar.querySelectorAll("a, button").length);
  assert.ok(bar >= 4);
  const skip = await stop(page);
  assert.equal(skip.text, "跳到正文");
  assert.deepEqual(skip.wrong, []);
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  await page.keyboard.press("Tab");
  assert.ok(await page.evaluate(() => document.querySelector("main").contains(document.activeElement)), "the next stop is in the content");
});

for (const [what, path] of [["an item", `/items/${ITEM}`], ["the ledger", "/ledger"], ["the reports", "/reports"]]) {
  test(`every stop of ${what} is seen`, async (t) => {
    const page = await visitor(t);
    await signIn(page, OFFICER);
    await page.goto(path);
    const wrong = new Set();
    for (let no = 0; no < 60; no += 1) {
      const at = await stop(page);
      if (at.end) break;
      at.wrong.forEach((one) => wrong.add(`${at.what}: ${one}`));
    }
    assert.deepEqual([...wrong], []);
  });
}

/** Tab until what has the focus is called so; every stop on the way is seen. */
async function tabTo(page, called) {
  const way = [];
  for (let no = 0; no < STOPS; no += 1) {
    const at = await stop(page);
    assert.deepEqual(at.wrong, [], `at ${at.what}`);
    if (at.text.includes(called)) return;
    way.push(at.text);
  }
  assert.fail(`no stop is called “${called}”: ${way.join(" | ")}`);
}

/** One Tab: what has the focus then, what it is called, and what is wrong with how that is shown. */
async function stop(page) {
  await page.keyboard.press("Tab");
  return page.evaluate(() => {
    const at = document.activeElement;
    if (!at || at === document.body) return { text: "", what: "the page itself", wrong: [], end: true };
    const label = at.labels?.[0]?.innerText ?? at.getAttribute("aria-label") ?? at.innerText ?? "";
    const style = getComputedStyle(at);
    const box = at.getBoundingClientRect();
    const wrong = [];
    // The button within a date has a ring of the browser's own, and the date itself has not the focus then.
    const own = at.matches(":focus");
    if (own && (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2)) wrong.push("has no ring of focus");
    if (box.bottom <= 0 || box.top >= innerHeight || box.right <= 0 || box.left >= innerWidth) wrong.push("is out of sight");
    return { text: label.trim(), what: `${at.tagName.toLowerCase()} “${label.trim().slice(0, 20)}”`, wrong, end: false };
  });
}
