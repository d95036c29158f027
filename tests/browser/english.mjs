// For a reader of English the frame of every page is English; what the rule set named keeps its Chinese name.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ITEM, OFFICER, signIn, visitor } from "./house.mjs";

const CHINESE = /[\u3400-\u9fff\u3000-\u303f\uff00-\uffef]/u;
const FORM = `/items/${ITEM}/do/report_progress?branch=2`;
/** What stands round every page. */
const FRAME = [".skip", "header.top nav a", "header.top button", "footer span"];
/** On each page, what the catalogue says there. */
const PAGES = [
  ["/todo", ["h1", ".sum", ".head .button", "h2", ".light", "summary"]],
  [
    `/items/${ITEM}`,
    [".crumbs a", ".light", ".line .hint", "h2", "h3", "details:not(.branch) > summary",
     ".due .day", ".timeline time", "thead th", "tbody td:last-child", ".two > div > p.hint"],
  ],
  [FORM, [".crumbs a:first-child", "summary", ".send .button", 'label[for="on"]', "#on-hint"]],
  [`/items/${ITEM}/do/claim_done?branch=2`, [".box h2", ".box .button"]],
  [
    "/ledger",
    ["h1", ...["text", "state", "unit", "flag", "which"].map((name) => `.filters label[for="${name}"]`), ".filters button", ".filters .button", "#flag option", "#which option",
     'option[value=""]', "thead th:nth-child(-n+4)", "td.day", ".pages a"],
  ],
  ["/reports", ["h1", ".reports button", ".what .hint"]],
  ["/new", ["h1", ".hint"]],
  ["/no/such/page", ["h1", "[role=alert]", "main .button"]],
];

for (const [path, selectors] of PAGES) {
  test(`in English: ${path}`, async (t) => {
    const page = await visitor(t);
    await signIn(page, OFFICER);
    await page.goto(`${path}${path.includes("?") ? "&" : "?"}lang=en`);
    assert.equal(await page.locator("html").getAttribute("lang"), "en");
    assert.deepEqual(await chinese(page, [...FRAME, ...selectors]), []);
  });
}

test("in English a reason is set in English: no mark of Chinese print between its words", async (t) => {
  const page = await visitor(t);
  await signIn(page, OFFICER);
  await page.goto(`/items/${ITEM}/do/claim_done?branch=2&lang=en`);
  const checks = await page.locator(".checks li").allInnerTexts();
  assert.ok(checks.length > 0);
  assert.deepEqual(checks.filter((text) => /[：；，。]/.test(text)), []);
});

test("the door in English", async (t) => {
  const page = await visitor(t);
  await page.goto("/sign-in?lang=en");
  assert.equal(await page.locator("html").getAttribute("lang"), "en");
  assert.deepEqual(await chinese(page, [...FRAME, "h1", "h2", "label", "button.main", ".hint"]), []);
});

test("a browser that asks for English gets it, and keeps it once it was chosen", async (t) => {
  const english = await visitor(t, { locale: "en-GB" });
  await english.goto("/sign-in");
  assert.equal(await english.locator("html").getAttribute("lang"), "en");
  const page = await visitor(t);
  await page.goto("/sign-in");
  assert.equal(await page.locator("html").getAttribute("lang"), "zh-CN");
  await page.getByRole("link", { name: "English" }).click();
  await page.goto("/sign-in");
  assert.equal(await page.locator("html").getAttribute("lang"), "en");
});

for (const path of [FORM, "/ledger?workflow=station_issue&which=all"]) {
  test(`the other language is one click away, on the same page: ${path}`, async (t) => {
    const page = await visitor(t);
    await signIn(page, OFFICER);
    await page.goto(path);
    const heading = await page.locator("h1").innerText();
    const rows = await page.locator("tbody tr").count();
    await page.getByRole("link", { name: "English" }).click();
    await page.getByRole("link", { name: "中文" }).click();
    assert.equal(await page.locator("h1").innerText(), heading);
    assert.equal(await page.locator("tbody tr").count(), rows);
  });
}

/** What is Chinese among what ought to be English. */
async function chinese(page, selectors) {
  const out = [];
  for (const selector of selectors) {
    const texts = await page.locator(selector).evaluateAll((all) => all.map((one) => one.textContent.trim().replace(/\s+/g, " ")));
    assert.ok(texts.length > 0 || OPTIONAL.includes(selector), `nothing is called ${selector}`);
    out.push(...texts.filter((text) => CHINESE.test(text)).map((text) => `${selector}: ${text}`));
  }
  return out;
}

/** What is there only when there is something to say. */
const OPTIONAL = ["h3", ".head .button", "summary", ".light", "header.top nav a", "header.top button"];
