// What cannot be taken comes back: all that was typed is there, and what is wrong leads to where it is put right.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ITEM, OFFICER, signIn, visitor } from "./house.mjs";

const NOBODY = "没有这个人";

test("a draft in the name of nobody comes back whole, and its error leads to the name", async (t) => {
  const page = await visitor(t, { javaScriptEnabled: false });
  await signIn(page, "马少斌");
  await page.goto("/new/suggestion/draft");
  await page.getByLabel("届次").fill("五届五次");
  await page.getByLabel("年度").fill("2026");
  await page.getByLabel("闭会期间").check();
  await page.getByLabel("标题").fill("关于<b>老旧小区</b>加装电梯的建议");
  await page.getByLabel("类别").selectOption({ index: 2 });
  await page.getByLabel("领衔代表").fill(NOBODY);
  await page.getByLabel("联名代表").fill("赵冬宁\n薛来荣");
  const topic = await page.getByLabel("类别").inputValue();
  const answered = page.waitForResponse((response) => response.request().method() === "POST");
  await page.getByRole("button", { name: "起草建议" }).click();

  assert.equal((await answered).status(), 422);
  const alert = page.getByRole("alert");
  assert.match(await alert.innerText(), /没有提交成功/);
  assert.equal(await page.getByLabel("届次").inputValue(), "五届五次");
  assert.equal(await page.getByLabel("年度").inputValue(), "2026");
  assert.ok(await page.getByLabel("闭会期间").isChecked());
  assert.equal(await page.getByLabel("标题").inputValue(), "关于<b>老旧小区</b>加装电梯的建议");
  assert.equal(await page.getByLabel("类别").inputValue(), topic);
  assert.equal(await page.getByLabel("领衔代表").inputValue(), NOBODY);
  assert.equal(await page.getByLabel("联名代表").inputValue(), "赵冬宁\n薛来荣");

  const wrong = page.getByLabel("领衔代表");
  assert.equal(await wrong.getAttribute("aria-invalid"), "true");
  await alert.getByRole("link").click();
  assert.ok(await wrong.evaluate((one) => one === document.activeElement), "the focus lands on the control");
  const reason = await wrong.evaluate((one) => document.getElementById(one.getAttribute("aria-describedby").split(" ").at(-1)).innerText);
  assert.match(reason, new RegExp(NOBODY), "the reason stands beside it too");
});

test("what comes back is read out first", async (t) => {
  const page = await visitor(t);
  await signIn(page, OFFICER);
  await reportWith(page, { on: "1999-01-01" });
  // A browser sets the focus a moment after the page is there.
  await page.locator("#trouble:focus").waitFor();
});

test("a day before the item began is refused where the day was typed", async (t) => {
  const page = await visitor(t, { javaScriptEnabled: false });
  await signIn(page, OFFICER);
  await reportWith(page, { on: "1999-01-01" });
  const alert = page.getByRole("alert");
  assert.match(await alert.innerText(), /没有提交成功/);
  assert.equal(await page.getByLabel("最近进展").inputValue(), "完成调研");
  assert.equal(await page.getByLabel("办理日期").inputValue(), "1999-01-01", "the day stands open, as it was typed");
  assert.equal(await alert.getByRole("link").count(), 1, "what is wrong leads to the day");
  await alert.getByRole("link").click();
  assert.ok(await page.getByLabel("办理日期").evaluate((one) => one === document.activeElement));
});

async function reportWith(page, { on }) {
  await page.goto(`/items/${ITEM}`);
  await page.locator(".acts").getByRole("link", { name: "报告进展" }).click();
  await page.getByLabel("最近进展").fill("完成调研");
  await page.getByLabel("完成比例").fill("40");
  await page.getByText("补记以前办的事").click();
  await page.getByLabel("办理日期").fill(on);
  const answered = page.waitForResponse((response) => response.request().method() === "POST");
  await page.getByRole("button", { name: "报告进展" }).click();
  assert.ok((await answered).status() >= 400);
}
