// What people do for their programs, without a script: a token for the calendar, and a program that is told of what happens.

import assert from "node:assert/strict";
import { test } from "node:test";
import { OFFICER, fresh, guests, signIn, visitor } from "./house.mjs";

test("魏新华 makes an address for the calendar of a phone, which shows what waits, and takes it back", async (t) => {
  const page = await visitor(t, { javaScriptEnabled: false });
  await signIn(page, OFFICER);
  await page.goto("/todo");
  await page.getByRole("link", { name: "令牌和日历" }).click();
  const name = fresh("手机");
  await page.getByLabel("做什么用").fill(name);
  await page.getByLabel("本人期限的日历（只能单独选）").check();
  await page.getByRole("button", { name: "做一个令牌" }).click();
  const address = await page.getByRole("status").locator("code").innerText();
  assert.match(address, /^http:\/\/.+\/calendar\/duban_[0-9a-f]{64}\.ics$/);
  await page.goto("/tokens");
  assert.equal(await page.getByText(address).count(), 0, "it is shown once");

  const stranger = await visitor(t);
  const fed = await stranger.request.get(address);
  assert.equal(fed.status(), 200);
  assert.match(fed.headers()["content-type"], /^text\/calendar/);
  const calendar = await fed.text();
  assert.match(calendar, /^BEGIN:VCALENDAR\r\n/);
  assert.ok(calendar.includes("BEGIN:VEVENT"), "something waits for him");
  for (const line of calendar.split("\r\n")) assert.ok(Buffer.byteLength(line) <= 75, line);
  const again = await stranger.request.get(address, { headers: { "if-none-match": fed.headers()["etag"] } });
  assert.equal(again.status(), 304);

  await page.getByRole("button", { name: `收回 ${OFFICER} ${name}` }).click();
  assert.equal(await page.getByRole("status").innerText(), "令牌已收回，不再有效。");
  assert.equal((await stranger.request.get(address)).status(), 404);
});

test("whoever looks after the system lets a program know, and what was typed wrong comes back", async (t) => {
  const page = await visitor(t, { javaScriptEnabled: false });
  const administrator = (await guests(page)).find(({ roles }) => /系统管理员/.test(roles));
  assert.ok(administrator, "the demo has one");
  await signIn(page, administrator.name);
  await page.goto("/todo");
  await page.getByRole("link", { name: "推送" }).click();
  await page.getByLabel("地址").fill("ftp://example.org");
  await page.getByLabel("期限已过").check();
  await page.getByRole("button", { name: "增加一个推送" }).click();
  assert.match(await page.getByRole("status").innerText(), /不是能呼叫的地址/);
  assert.equal(await page.getByLabel("地址").inputValue(), "ftp://example.org");
  assert.equal(await page.getByLabel("期限已过").isChecked(), true);
  const url = `https://example.org/${Math.random().toString(36).slice(2)}`;
  await page.getByLabel("地址").fill(url);
  await page.getByRole("button", { name: "增加一个推送" }).click();
  assert.match(await page.getByRole("status").innerText(), /whsec_/);
  await page.getByRole("button", { name: `停止 ${url}` }).click();
  assert.match(await page.getByRole("row", { name: url }).first().innerText(), /起停止/);
  await page.getByRole("button", { name: `删去 ${url}` }).click();
  assert.equal(await page.getByRole("button", { name: `停止 ${url}` }).count(), 0);
});
