// What comes out of the printer: the right sheets, a heading on each, and nothing that was made to be pressed.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { ITEM, OFFICER, guests, signIn, visitor } from "./house.mjs";

/** Millimetres, upright and on its side. */
const A4 = "210×297";
const A3_LANDSCAPE = "420×297";
const LEDGER = "/ledger?which=all";
const PRESSED = ["退出", "查找", "清除条件", "下一页", "新建", "现在可以做", "不办了，返回", "English", "跳到正文"];

test("an item prints on A4, with what happened and without what is pressed", async (t) => {
  const sheets = await printed(t, `/items/${ITEM}`);
  assert.deepEqual([...new Set(sheets.map(({ size }) => size))], [A4]);
  const all = sheets.map(({ text }) => text).join("\n");
  assert.match(all, /关于壮大垣曲县村级集体经济的建议/);
  assert.match(all, /受理并编号/);
  assert.deepEqual(linesOf(all, PRESSED), []);
});

test("a printed item says whose each branch is, and how it ended", async (t) => {
  const all = (await printed(t, `/items/${ITEM}`)).map(({ text }) => text).join("\n");
  const branches = /分头办理([^]*?)\n\s*经过/.exec(all)?.[1] ?? "";
  assert.match(branches, /台账事项\s+市农业农村局/);
  assert.match(branches, /办理件\s+市农业农村局\s+办结/);
});

test("the ledger prints on A3 on its side, every sheet of it", async (t) => {
  const sheets = await printed(t, LEDGER);
  assert.deepEqual(sheets.map(({ size }) => size), sheets.map(() => A3_LANDSCAPE));
});

test("the ledger has its heading on every sheet, and nothing to press", async (t) => {
  const sheets = (await printed(t, LEDGER)).filter(({ text }) => /\d{4}-\d{3}/.test(text));
  assert.ok(sheets.length > 1, "fifty rows do not fit on one sheet");
  const without = sheets.map(({ text }, at) => [at + 1, text]).filter(([, text]) => !/编号\s+标题\s+状态\s+最近的期限/.test(text));
  assert.deepEqual(without.map(([at]) => `sheet ${at}`), [], "a sheet without its heading");
  assert.deepEqual(linesOf(sheets.map(({ text }) => text).join("\n"), PRESSED), []);
});

test("the morning sheet prints on one A4", async (t) => {
  const page = await visitor(t);
  const office = (await guests(page)).find(({ roles }) => /代表工委/.test(roles));
  await signIn(page, office.name);
  await page.goto("/");
  assert.match(page.url(), /\/desks\//, "the office comes in at its own page");
  const sheets = await printed(t, new URL(page.url()).pathname, office.name);
  assert.deepEqual(sheets.map(({ size }) => size), [A4]);
});

test("a month of dates prints on A4", async (t) => {
  const sheets = await printed(t, "/calendar");
  assert.deepEqual([...new Set(sheets.map(({ size }) => size))], [A4]);
});

test("a paper of the rules prints on one A4", async (t) => {
  const sheets = await printed(t, `/items/${ITEM}/forms/rating_form`);
  assert.deepEqual(sheets.map(({ size }) => size), [A4]);
});

/** A page as it leaves the printer: each sheet with its size and its text. */
async function printed(t, path, name = OFFICER) {
  const page = await visitor(t);
  await signIn(page, name);
  await page.goto(path);
  const pdf = await page.pdf({ preferCSSPageSize: true });
  const run = (program, ...options) => execFileSync(program, options, { input: pdf, encoding: "utf8" });
  const count = Number(/^Pages:\s+(\d+)/m.exec(run("pdfinfo", "-"))[1]);
  const sizes = [...run("pdfinfo", "-f", "1", "-l", String(count), "-").matchAll(/^Page\s+\d+ size:\s+([\d.]+) x ([\d.]+)/gm)];
  const texts = run("pdftotext", "-layout", "-", "-").split("\f");
  const millimetres = (points) => Math.round((Number(points) / 72) * 25.4);
  return sizes.map(([, width, height], at) => ({ size: `${millimetres(width)}×${millimetres(height)}`, text: texts[at] ?? "" }));
}

/** Which of these words stand on a line of their own, or beside others with room between. */
function linesOf(text, words) {
  const pieces = new Set(text.split(/\n|\s{2,}/).map((piece) => piece.trim()));
  return words.filter((word) => pieces.has(word));
}
