// A day's work without a script: sign in, find what waits, do it, see it recorded, leave; and nobody else comes back on that session.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ITEM, OFFICER, fresh, guests, signIn, throughTheDoor, visitor } from "./house.mjs";

test("without a script: 魏新华 reports progress, sees it recorded, and leaves for good", async (t) => {
  const page = await visitor(t, { javaScriptEnabled: false });
  const progress = fresh("已完成招标，正在施工");

  await throughTheDoor(page, OFFICER);
  await page.getByRole("listitem").filter({ hasText: ITEM }).getByRole("link", { name: "报告进展" }).click();
  await page.getByLabel("最近进展").fill(progress);
  await page.getByLabel("完成比例").fill("85");
  await page.getByRole("button", { name: "报告进展" }).click();

  await page.waitForURL(`**/items/${ITEM}?did=*`);
  assert.equal(await page.getByRole("status").innerText(), "已记录：报告进展");
  const latest = page.locator(".timeline li").first();
  assert.match(await latest.innerText(), /^报告进展/);
  assert.match(await latest.innerText(), new RegExp(OFFICER));
  assert.equal(await latest.getByText(progress, { exact: true }).count(), 1, "what was reported stands beside it");

  const badge = await page.context().cookies();
  await page.getByRole("button", { name: "退出" }).click();
  await page.waitForURL("**/sign-in");
  await page.goBack();
  assert.equal(new URL(page.url()).pathname, "/sign-in", "the way back leads to the door");
  assert.equal(await page.getByText(progress).count(), 0);

  await page.context().addCookies(badge);
  await page.goto("/todo");
  assert.equal(new URL(page.url()).pathname, "/sign-in", "the old session opens nothing any more");
});

test("a form sent twice is done once", async (t) => {
  const page = await visitor(t, { javaScriptEnabled: false });
  const progress = fresh("设备进场");
  await signIn(page, OFFICER);
  await page.goto(`/items/${ITEM}`);
  await page.locator(".acts").getByRole("link", { name: "报告进展" }).click();
  const form = page.url();
  const send = async () => {
    await page.getByLabel("最近进展").fill(progress);
    await page.getByLabel("完成比例").fill("86");
    await page.getByRole("button", { name: "报告进展" }).click();
  };
  const count = async () => {
    await page.goto(`/items/${ITEM}`);
    return page.locator(".timeline li").filter({ hasText: "报告进展" }).count();
  };
  const before = await count();
  await page.goto(form);
  const sent = page.waitForRequest((request) => request.method() === "POST");
  await send();
  const body = (await sent).postData();
  const again = await page.request.post(form, {
    headers: { "content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin" },
    data: body,
  });
  assert.equal(again.status(), 200, "the same answer again");
  assert.equal(await count(), before + 1);
});

test("what happened stands in its order, the newest first", async (t) => {
  const page = await visitor(t);
  await signIn(page, OFFICER);
  await page.goto(`/items/${ITEM}`);
  // What was entered later than it happened stands where it was entered.
  const told = await page
    .locator(".timeline li")
    .evaluateAll((all) => all.map((one) => one.querySelector(".hint time").parentElement.innerText).filter((text) => !/补记|录入/.test(text)));
  const moments = told.map((text) => {
    const [, year, month, day, hour, minute] = /(\d+)年(\d+)月(\d+)日 (\d+):(\d+)/.exec(text) ?? assert.fail(`no moment in ${text}`);
    return Date.UTC(year, month - 1, day, hour, minute);
  });
  assert.ok(moments.length > 20);
  assert.deepEqual(moments, [...moments].sort((a, b) => b - a));
});

test("what waits stands with the nearest day first", async (t) => {
  const page = await visitor(t);
  await signIn(page, OFFICER);
  await page.goto("/todo");
  const texts = await page.locator(".duties").first().locator(".light").allInnerTexts();
  const days = texts.map((text) => Number(/\d+/.exec(text)?.[0] ?? 0) * (text.startsWith("超期") ? -1 : 1));
  assert.ok(days.length > 1);
  assert.deepEqual(days, [...days].sort((a, b) => a - b));
});

test("nobody is led to an empty page: 新建 is offered to whoever may begin something", async (t) => {
  for (const { name } of await guests(await visitor(t))) {
    const page = await visitor(t);
    await signIn(page, name);
    await page.goto("/new");
    const choices = await page.locator("main .rows a").count();
    await page.goto("/todo");
    const offered = await page.getByRole("main").getByRole("link", { name: "新建" }).count();
    assert.equal(offered > 0, choices > 0, `${name} may begin ${choices} things`);
  }
});
