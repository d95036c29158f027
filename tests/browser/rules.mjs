// The rule workshop: an administrator changes a file without a script, sees what publishing would do, and everybody can read its pages.

import assert from "node:assert/strict";
import { test } from "node:test";
import { complaints } from "./everywhere.mjs";
import { address, guests, signIn, visitor } from "./house.mjs";
import { watch } from "./watch.mjs";

const FILE = "/rules/files/suggestion/flow.yaml";
const NEW = "/rules/new?path=tests%2Fnew.test.yaml";

/** Every open item is derived under both rule sets: some 20 s in a debug build on loaded cores. */
const BOUND_OF_A_PLAN_MS = 120_000;

/** Whoever of the door's guests looks after the system. */
async function administrator(page) {
  const found = (await guests(page)).find(({ roles }) => /系统管理员/.test(roles));
  assert.ok(found, "the door lists somebody who looks after the system");
  return found.name;
}

test("without a script: a draft is checked, saved, planned, and what others changed is not overwritten", async (t) => {
  const page = await visitor(t, { javaScriptEnabled: false });
  await signIn(page, await administrator(page));
  await page.goto("/rules");
  await page.locator(".tree a").filter({ hasText: /^suggestion\/flow\.yaml$/ }).first().click();
  const text = page.getByLabel("文字", { exact: true });
  const before = await text.inputValue();
  const file = page.url();

  await text.fill(`${before}\nno_such_key: 1\n`);
  await page.getByRole("button", { name: "检查，不保存" }).click();
  assert.match(await page.locator("#problems").innerText(), /no_such_key/);
  const place = page.locator("#problems a").first();
  const line = (await place.getAttribute("href")).replace("#", "");
  assert.match(await page.locator(`#${line}`).innerText(), /no_such_key/, "the way to the line leads there");
  assert.match(await text.inputValue(), /no_such_key/, "what was typed is still there");

  // Somebody at another desk is faster.
  const other = await page.context().newPage();
  await other.goto(file);
  await other.getByLabel("文字", { exact: true }).fill(`${before}\n# 另一位管理员\n`);
  await other.getByRole("button", { name: "保存到文件夹" }).click();
  await other.getByText("已保存。").waitFor();
  await text.fill(`${before}\n# 我的\n`);
  await page.getByRole("button", { name: "保存到文件夹" }).click();
  assert.match(await page.getByRole("alert").innerText(), /另一位管理员[\s\S]*我的/);
  assert.match(await text.inputValue(), /# 我的/);
  await page.getByRole("button", { name: "用我的文字覆盖" }).click();
  await page.getByText("已保存。").waitFor();

  await page.goto("/rules");
  await page.getByRole("button", { name: /^试算/ }).click({ timeout: BOUND_OF_A_PLAN_MS });
  await page.waitForURL("**/rules/plans/*", { timeout: BOUND_OF_A_PLAN_MS });
  assert.match(await page.locator("main").innerText(), /日期变动\s*0/);
  const own = await visitor(t);
  await signIn(own, await administrator(own));
  assert.deepEqual(await complaints(own, new URL(page.url()).pathname, await watch(own, address), true), []);
  await page.goto(file);
  await text.fill(before);
  await page.getByRole("button", { name: "保存到文件夹" }).click();
  await page.getByText("已保存。").waitFor();
});

test("the editor says what is wrong while one types, mends it, completes, and saves what it holds", async (t) => {
  const page = await visitor(t);
  await signIn(page, await administrator(page));
  const eyes = await watch(page, address);
  await page.goto("/rules/files/key_topic/flow.yaml");
  const editor = page.getByRole("textbox", { name: "文字", exact: true });
  const held = page.locator("textarea#text");
  const before = await held.inputValue();
  assert.equal(await held.isVisible(), false);
  await editor.click();
  await page.keyboard.press("Control+End");
  await page.keyboard.type("\ntitel: 1");
  const mark = page.locator(".cm-lint-marker-error");
  await mark.last().waitFor();
  await mark.last().hover();
  const hint = page.locator(".cm-tooltip").filter({ hasText: "titel" }).first();
  await hint.waitFor();
  assert.match(await hint.innerText(), /这里没有叫 `titel` 的键[\s\S]*E005/);
  await hint.getByRole("button", { name: "改为 title" }).click();
  assert.equal(await held.inputValue(), `${before}\ntitle: 1`);

  // Back to what it was, with the keys of an editor; then a name of the rule set, by its first letters.
  await editor.press("Control+a");
  await page.keyboard.insertText(`${before}\n`);
  await page.keyboard.type("amend_b");
  await page.getByRole("option", { name: /^amend_by/ }).waitFor();
  await page.keyboard.press("Escape");
  for (let left = "amend_b".length; left > 0; left -= 1) await page.keyboard.press("Backspace");
  await page.keyboard.type("# 编辑器");
  // The tab key leaves.
  await page.keyboard.press("Escape");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.value), "check");
  await editor.focus();
  await page.keyboard.press("Control+s");
  await page.getByText("已保存。").waitFor();
  assert.equal(await held.inputValue(), `${before}\n# 编辑器`);
  assert.deepEqual(eyes.since().complaints, []);
  await editor.press("Control+a");
  await page.keyboard.insertText(before);
  await page.keyboard.press("Control+s");
  await page.waitForFunction((text) => document.readyState === "complete" && document.querySelector("#text").value === text, before);
});

test("the pages of the workshop can be read by everybody", async (t) => {
  const page = await visitor(t);
  await signIn(page, await administrator(page));
  const eyes = await watch(page, address);
  // The page of a file is as heavy as the file and its editor, and is not weighed.
  const paths = ["/rules", FILE, NEW, "/rules/stories", "/rules/diagram", "/rules/history", "/rules/diff?from=use&to=folder"];
  for (const path of [...paths, "/rules/forecast"]) {
    await t.test(path, async () => {
      const found = await complaints(page, path, eyes, true);
      assert.deepEqual(found.filter((one) => !(one.startsWith("weighs") && [FILE, NEW, "/rules/diagram"].includes(path))), []);
    });
  }
});
