// Whoever comes in, on every page that is one click away: WCAG 2.x A and AA, nothing sideways, nothing from elsewhere, light.

import assert from "node:assert/strict";
import { test } from "node:test";
import axe from "axe-core";
import { OFFICER, address, guests, signIn, visitor } from "./house.mjs";
import { watch } from "./watch.mjs";

const LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
const HEAVIEST_BYTES = 100_000;
const WIDE = { width: 1280, height: 800 };
const PHONE = { width: 375, height: 800 };
/** 1280 at 200 %. */
const ZOOMED = { width: 640, height: 400 };
/** Whose pages are looked at in the dark and on a phone too: a handling unit's, a deputy's, an administrator's. */
const LOOKED_AT_TWICE = [/经办人/, /(^|、)代表(、|$)|领衔代表/, /代表工委|管理员/];

test("the door: everybody may read it, and it loads nothing strange", async (t) => {
  const page = await visitor(t);
  const eyes = await watch(page, address);
  assert.deepEqual(await complaints(page, "/sign-in", eyes, true), []);
});

test("what is published: everybody may read it, and it loads nothing strange", async (t) => {
  const page = await visitor(t);
  const eyes = await watch(page, address);
  assert.deepEqual(await complaints(page, "/public", eyes, true), []);
});

test("the mark of the tab is there: no browser asks for it in vain", async (t) => {
  const page = await visitor(t);
  await page.goto("/sign-in");
  const marks = await page.locator('link[rel~="icon"]').evaluateAll((all) => all.map((one) => one.href));
  const answer = await page.request.get(marks[0] ?? "/favicon.ico");
  assert.equal(answer.status(), 200, answer.url());
});

test("a page that is not there is a page too", async (t) => {
  const page = await visitor(t);
  await signIn(page, OFFICER);
  await page.goto("/no/such/page");
  assert.equal(await page.getByRole("button", { name: "退出" }).count(), 1, "whoever is inside stays inside");
  assert.deepEqual([...(await sideways(page)), ...(await barriers(page, "light 1280"))], []);
});

test("whoever comes in finds pages that everybody can read", { concurrency: 2 }, async (t) => {
  const all = await guests(await visitor(t));
  assert.ok(all.length >= 3, "the door of the demo lists who may come in");
  const steps = await stepsOf(t, all);
  const twice = LOOKED_AT_TWICE.map((role) => all.find(({ roles }) => role.test(roles))?.name);
  // Two at a time: while one is looked at, the server makes the page of the other.
  const lives = all.map(({ name, roles }) =>
    t.test(`${name}, ${roles}`, async (t) => {
      const page = await visitor(t);
      await signIn(page, name);
      const paths = await pagesOf(page, steps, name);
      const eyes = await watch(page, address);
      for (const [what, path] of paths) {
        await t.test(`${what}: ${decodeURIComponent(path)}`, async () => {
          assert.deepEqual(await complaints(page, path, eyes, twice.includes(name)), []);
        });
      }
    }),
  );
  await Promise.all(lives);
});

/** The first step that waits for each: what is open to one is closed to another. */
async function stepsOf(t, all) {
  const steps = new Map();
  for (const { name } of all) {
    const page = await visitor(t);
    await signIn(page, name);
    await page.goto("/todo");
    const step = page.locator(".duties .next a").first();
    if (await step.count()) steps.set(name, await step.getAttribute("href"));
    await page.context().close();
  }
  return steps;
}

/** Every entry of the bar on top, and one page of each kind that lies behind. */
async function pagesOf(page, steps, name) {
  await page.goto("/todo");
  const hrefs = (selector) => page.locator(selector).evaluateAll((all) => all.map((one) => one.getAttribute("href")));
  const paths = (await hrefs("header.top nav a")).map((way) => ["the bar on top", way]);
  const desk = paths.find(([, way]) => way.startsWith("/desks/"));
  if (desk) {
    await page.goto(desk[1]);
    paths.push(...(await hrefs("main .tabs a")).filter((way) => way !== desk[1]).map((way) => ["a page of my roles", way]));
    await page.goto("/todo");
  }
  const [item] = await hrefs(".duties .what a");
  if (item) paths.push(["an item", item]);
  if (steps.has(name)) paths.push(["a step that waits", steps.get(name)]);
  const colleague = [...steps].find(([other]) => other !== name);
  if (colleague) paths.push(["a colleague's step, closed to me", colleague[1]]);
  await page.goto("/new");
  paths.push(["what may be begun", "/new"]);
  paths.push(["oneself", "/me"]);
  const [begin] = await hrefs("main .rows a");
  if (begin) paths.push(["a new item", begin]);
  if (item) {
    await page.goto(item);
    const [paper] = await hrefs('a[href*="/forms/"]');
    if (paper) paths.push(["a paper", paper]);
  }
  paths.push(["tokens", "/tokens"]);
  await page.goto("/reports");
  const report = page.locator(".reports form:not(:has(input[required]))").first();
  if (await report.count()) paths.push(["a report", `${await report.getAttribute("action")}?format=html`]);
  return paths;
}

/** All that is wrong with a page, in the words of whoever has to mend it. */
export async function complaints(page, path, eyes, closely) {
  await page.setViewportSize(WIDE);
  await page.emulateMedia({ colorScheme: "light" });
  eyes.since();
  const answer = await page.goto(path, { waitUntil: "load" });
  const out = answer.ok() ? [] : [`answers ${answer.status()}`];
  const seen = eyes.since();
  out.push(...seen.strange.map((url) => `asks elsewhere: ${url}`), ...seen.complaints.map((text) => `the browser complains: ${text}`));
  if (seen.bytes > HEAVIEST_BYTES) out.push(`weighs ${seen.bytes} bytes, more than ${HEAVIEST_BYTES}`);
  // What is folded away is read as well.
  await page.locator("details").evaluateAll((all) => all.forEach((one) => (one.open = true)));
  out.push(...(await barriers(page, "light 1280")));
  // A paper keeps the width of a sheet; what is rendered in the frame bends.
  if (await page.locator("header.top").count()) out.push(...(await sideways(page)));
  if (closely) {
    await page.setViewportSize(PHONE);
    out.push(...(await barriers(page, "light 375")));
    await page.emulateMedia({ colorScheme: "dark" });
    out.push(...(await barriers(page, "dark 375")));
    await page.setViewportSize(WIDE);
    out.push(...(await barriers(page, "dark 1280")));
  }
  return out;
}

async function barriers(page, how) {
  // Through the debugger, which no policy of the page holds up: the pages are looked at under their own.
  await page.evaluate(`window.axe || (() => { ${axe.source} })()`);
  const found = await page.evaluate((levels) => window.axe.run(document, { runOnly: levels, resultTypes: ["violations"] }), LEVELS);
  return found.violations.map(({ id, help, nodes }) => {
    const [first] = nodes;
    const why = [...first.any, ...first.all, ...first.none].map((check) => check.message).join("; ");
    return `${how}: ${id} (${help}), ${nodes.length} times, first ${first.target.join(" ")}: ${why}`;
  });
}

/** Where a page is wider than its window. */
async function sideways(page) {
  const out = [];
  for (const size of [ZOOMED, PHONE]) {
    await page.setViewportSize(size);
    const wider = await page.evaluate(() => {
      const room = document.documentElement.clientWidth;
      if (document.documentElement.scrollWidth <= room) return null;
      const beyond = [...document.querySelectorAll("main *, header *, footer *")].filter((one) => one.getBoundingClientRect().right > room + 1);
      return beyond.slice(0, 3).map((one) => `${one.tagName.toLowerCase()}.${one.className.baseVal ?? one.className}`);
    });
    if (wider) out.push(`scrolls sideways at ${size.width} px: ${wider.join(", ")}`);
  }
  await page.setViewportSize(WIDE);
  return out;
}
