// A demo office with its door open, and a real browser before it. What is judged of its pages stands in the stories.

import assert from "node:assert/strict";
import { spawn, execFileSync } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const RULES = fileURLToPath(new URL("../../rules/yuncheng", import.meta.url));
const CHROMIUM = process.env.DUBAN_CHROMIUM ?? "/usr/bin/chromium";
const SWITCHES = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
/** No start takes longer on any machine. A bound, not a pause. */
const BOUND_MS = 120_000;
/** Nor does a step on a page. */
const BOUND_OF_A_STEP_MS = 20_000;

/** Where the pages are, such as `http://127.0.0.1:8123`. */
export const address = await open();
const browser = await chromium.launch({ executablePath: CHROMIUM, args: SWITCHES, timeout: BOUND_MS });
after(() => browser.close());

async function open() {
  if (!execFileSync("fc-list", [":lang=zh"], { encoding: "utf8" }).trim()) {
    throw new Error("no Chinese font here (`fc-list :lang=zh` is empty), every width would be that of boxes: install fonts-noto-cjk");
  }
  const { DUBAN_URL, DUBAN_BINARY, DUBAN_DEMO } = process.env;
  if (DUBAN_URL) return new URL(DUBAN_URL).origin;
  if (!DUBAN_BINARY || !DUBAN_DEMO) {
    throw new Error("nothing to look at: set DUBAN_URL, or DUBAN_BINARY and DUBAN_DEMO (a folder left by `duban demo --folder`)");
  }
  return serve(DUBAN_BINARY, await copyOf(DUBAN_DEMO));
}

/** The database, and the rules, which the workshop changes. The mails of the demo are thousands of files that no page reads. */
async function copyOf(demo) {
  const folder = await mkdtemp(join(tmpdir(), "duban-browser-"));
  after(() => rm(folder, { recursive: true, force: true }));
  await mkdir(join(folder, "mails"));
  const database = (await readdir(demo)).filter((name) => name.startsWith("demo.db") && !name.endsWith(".lock"));
  await Promise.all(database.map((name) => cp(join(demo, name), join(folder, name))));
  await cp(RULES, join(folder, "rules"), { recursive: true });
  return folder;
}

/** Serves a demo until the tests are over; gives the address that it prints. */
function serve(binary, folder) {
  const options = ["--rules", join(folder, "rules"), "--folder", folder, "--serve", "--keep", "--port", "0", "--lang", "zh", "--no-color"];
  const server = spawn(binary, ["demo", ...options], { stdio: ["ignore", "pipe", "pipe"] });
  const gone = new Promise((done) => server.once("exit", done));
  after(() => {
    server.kill("SIGINT");
    return gone;
  });
  return new Promise((found, failed) => {
    let said = "";
    const bound = setTimeout(() => failed(new Error(`the server printed no address: ${said}`)), BOUND_MS);
    const listen = (text) => {
      said += text;
      const at = /http:\/\/127\.0\.0\.1:\d+/.exec(said);
      if (at) {
        clearTimeout(bound);
        found(at[0]);
      }
    };
    server.stdout.setEncoding("utf8").on("data", listen);
    server.stderr.setEncoding("utf8").on("data", listen);
    gone.then(() => failed(new Error(`the server went away: ${said}`)));
  });
}

/** A browser of somebody's own, with its cookies; closed when its test is over. */
export async function visitor(t, options = {}) {
  const context = await browser.newContext({
    baseURL: address,
    locale: "zh-CN",
    viewport: { width: 1280, height: 800 },
    reducedMotion: "reduce",
    ...options,
  });
  context.setDefaultTimeout(BOUND_OF_A_STEP_MS);
  t.after(() => context.close());
  return context.newPage();
}

/** The identities that the door offers, in its order. */
export async function guests(page) {
  await page.goto("/sign-in");
  const buttons = page.locator('form[action="/sign-in/as"] button');
  return buttons.evaluateAll((all) => all.map((one) => ({ name: one.querySelector("b").textContent, roles: one.querySelector("span").textContent })));
}

/** Through the door as one of those. */
export async function throughTheDoor(page, name) {
  await page.goto("/sign-in");
  await page.locator('form[action="/sign-in/as"]').getByRole("button", { name }).click();
  await page.waitForURL(/\/(todo|desks\/.*)$/);
}

/** Inside as one of those, by what the door sends: for stories that begin inside. */
export async function signIn(page, name) {
  const headers = { "sec-fetch-site": "same-origin" };
  const answer = await page.request.post("/sign-in/as", { form: { person: name, back: "" }, headers, maxRedirects: 0 });
  assert.equal(answer.status(), 303, `${name} may come in`);
}

/** The handling unit's officer of the demo, and an item of which progress is to be reported. */
export const OFFICER = "魏新华";
export const ITEM = "2024-119";

/** A sentence that no other test wrote. */
export const fresh = (text) => `${text}（${process.pid}-${Math.random().toString(36).slice(2, 8)}）`;
