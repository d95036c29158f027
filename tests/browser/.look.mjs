import { chromium } from "playwright-core";
import axe from "axe-core";
const base = `http://127.0.0.1:${process.env.PORT}`;
const b = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
for (const [who, tag] of [["马少斌","ms"],["梁秀林","lx"]]) {
  const c = await b.newContext({ locale: "zh-CN", viewport: { width: 1280, height: 900 } });
  const p = await c.newPage();
  await p.goto(base + "/sign-in");
  await p.getByRole("button", { name: who }).click();
  await p.waitForLoadState("load");
  console.log(who, "first:", p.url());
  const paths = await p.locator("header.top nav a").evaluateAll((a) => a.map((x) => x.getAttribute("href")));
  console.log(paths.join(" "));
  for (const path of paths.filter((x) => /desks|calendar|ledger/.test(x)).concat(["/public"])) {
    const t = Date.now();
    const r = await p.goto(base + path);
    const body = await r.body();
    const ms = Date.now() - t;
    await p.evaluate(axe.source).catch(() => {});
    const cdp = await c.newCDPSession(p);
    await cdp.send("Page.setBypassCSP", { enabled: true });
    await cdp.send("Runtime.evaluate", { expression: axe.source });
    const v = await p.evaluate(() => window.axe.run(document, { runOnly: ["wcag2a","wcag2aa","wcag21a","wcag21aa","wcag22aa"], resultTypes: ["violations"] }));
    const name = tag + path.replace(/[^a-z_]/g, "-");
    await p.screenshot({ path: `/tmp/dk/${name}.png`, fullPage: false });
    await p.setViewportSize({ width: 375, height: 800 });
    const wide = await p.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    await p.screenshot({ path: `/tmp/dk/${name}-375.png` });
    await p.setViewportSize({ width: 1280, height: 900 });
    const pdf = await p.pdf({ preferCSSPageSize: true });
    const pages = (pdf.toString("latin1").match(/\/Type\s*\/Page[^s]/g) || []).length;
    console.log(path, r.status(), ms + "ms", body.length + "B", "axe", JSON.stringify(v.violations.map((x) => [x.id, x.nodes[0].html.slice(0, 120)])), "over", wide, "sheets", pages);
  }
  await c.close();
}
await b.close();
