// Opens a report in a headless Chromium and looks whether it does what it should, or takes pictures of it.
//
//   node check.mjs page REPORT.html           one line per check; exit 1 at the first that fails
//   node check.mjs shots REPORT.html OUTDIR   {wide,tablet,phone}-{light,dark}.png
//
// Exit 77 where there is no Chromium: $CANLOOM_CHROMIUM, else chromium, chromium-browser or google-chrome in PATH.
// Needs Node 20 and no packages: it speaks the DevTools protocol over a pipe, so that no port is open.

import { spawn } from "node:child_process";
import { accessSync, constants, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const LIMIT_MS = 55_000;
const SIZES = [
  { name: "wide", width: 1280, height: 800, mobile: false },
  { name: "tablet", width: 820, height: 1180, mobile: false },
  { name: "phone", width: 390, height: 844, mobile: true },
];
const THEMES = ["light", "dark"];

function findChromium() {
  const named = process.env.CANLOOM_CHROMIUM;
  const folders = (process.env.PATH ?? "").split(delimiter);
  const places = ["chromium", "chromium-browser", "google-chrome"].flatMap((name) => folders.map((folder) => join(folder, name)));
  // One that is named and is not there is not replaced by another one.
  return (named ? [named] : places).find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** A browser of our own, with the protocol on file descriptors 3 and 4. */
class Browser {
  constructor(path) {
    this.profile = mkdtempSync(join(tmpdir(), "canloom-browser-"));
    const flags = [
      "--headless=new", "--remote-debugging-pipe", `--user-data-dir=${this.profile}`, "--no-sandbox", "--disable-gpu",
      "--disable-dev-shm-usage", "--no-first-run", "--no-default-browser-check", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", "--disable-extensions", "--mute-audio", "--force-color-profile=srgb",
    ];
    // A process group of its own, since Chromium starts processes that outlive it if only the first one is killed.
    this.child = spawn(path, flags, { detached: true, stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    this.next = 1;
    this.waiting = new Map();
    this.listeners = new Set();
    this.closed = false;
    let rest = Buffer.alloc(0);
    this.child.stdio[4].on("data", (chunk) => {
      rest = Buffer.concat([rest, chunk]);
      for (let end = rest.indexOf(0); end >= 0; end = rest.indexOf(0)) {
        this.receive(JSON.parse(rest.subarray(0, end).toString("utf8")));
        rest = rest.subarray(end + 1);
      }
    });
    for (const pipe of [this.child.stdio[3], this.child.stdio[4]]) pipe.on("error", () => {});
    const ended = (why) => {
      this.closed = true;
      for (const { reject } of this.waiting.values()) reject(new Error(`Chromium ended: ${why}`));
      this.waiting.clear();
    };
    this.child.on("error", (error) => ended(error.message));
    this.child.on("exit", (code, signal) => ended(`exit ${code ?? signal}`));
  }

  receive(message) {
    if (message.id === undefined) {
      for (const listener of this.listeners) listener(message);
      return;
    }
    const waiting = this.waiting.get(message.id);
    this.waiting.delete(message.id);
    if (message.error) waiting?.reject(new Error(`${waiting.method}: ${message.error.message}`));
    else waiting?.resolve(message.result);
  }

  send(method, params = {}, sessionId = undefined) {
    if (this.closed) return Promise.reject(new Error("Chromium has ended"));
    const id = this.next++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { method, resolve, reject });
      this.child.stdio[3].write(JSON.stringify({ id, method, params, sessionId }) + "\0");
    });
  }

  /** Asks it to end, so that it ends what it has started outside of its group, and does not rely on that. */
  async close() {
    const over = (ms) => new Promise((done) => {
      if (this.closed) return done();
      this.child.once("exit", done);
      setTimeout(done, ms);
    });
    if (!this.closed) this.send("Browser.close").catch(() => {});
    await over(1500);
    this.kill();
    await over(1000);
    // What was killed a moment ago may still be writing there.
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  }

  kill() {
    try {
      process.kill(-this.child.pid, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
  }
}

/** A page in a theme and a size, with everything that it complained about or asked for. */
class Page {
  static async open(browser, url, size, theme) {
    const page = new Page();
    page.browser = browser;
    page.troubles = [];
    const { targetId } = await browser.send("Target.createTarget", { url: "about:blank" });
    page.target = targetId;
    page.session = (await browser.send("Target.attachToTarget", { targetId, flatten: true })).sessionId;
    let loaded;
    const load = new Promise((resolve) => { loaded = resolve; });
    page.listener = (message) => {
      if (message.sessionId !== page.session) return;
      const { method, params } = message;
      if (method === "Page.loadEventFired") loaded();
      if (method === "Runtime.exceptionThrown") {
        const { exceptionDetails } = params;
        page.troubles.push(`exception: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`);
      }
      if (method === "Runtime.consoleAPICalled") {
        page.troubles.push(`console.${params.type}: ${params.args.map((arg) => arg.value ?? arg.description).join(" ")}`);
      }
      if (method === "Log.entryAdded") page.troubles.push(`log ${params.entry.level}: ${params.entry.text}`);
      if (method === "Network.requestWillBeSent" && params.request.url.split("#")[0] !== url) {
        page.troubles.push(`request: ${params.request.url.slice(0, 200)}`);
      }
    };
    browser.listeners.add(page.listener);
    for (const domain of ["Page", "Runtime", "Log", "Network"]) await page.send(`${domain}.enable`);
    await page.send("Emulation.setDeviceMetricsOverride", { ...size, deviceScaleFactor: 1 });
    if (size.mobile) await page.send("Emulation.setTouchEmulationEnabled", { enabled: true });
    // Without movement a picture shows where things end up, and a click finds them there.
    const features = [{ name: "prefers-color-scheme", value: theme }, { name: "prefers-reduced-motion", value: "reduce" }];
    await page.send("Emulation.setEmulatedMedia", { features });
    const source = "addEventListener('securitypolicyviolation', (e) => console.error('policy violated: ' + e.violatedDirective + ' ' + e.blockedURI))";
    await page.send("Page.addScriptToEvaluateOnNewDocument", { source });
    const { errorText } = await page.send("Page.navigate", { url });
    if (errorText) throw new Error(`cannot open ${url}: ${errorText}`);
    await load;
    await page.settle();
    return page;
  }

  send(method, params) {
    return this.browser.send(method, params, this.session);
  }

  /** What a function of the page returns. It goes there as text, so it sees the page and its one argument only. */
  async run(body, argument = null) {
    const expression = `(${body})(${JSON.stringify(argument)})`;
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", { expression, returnByValue: true, awaitPromise: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  settle() {
    return this.run(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(null)))));
  }

  async key(key) {
    const text = key.length === 1 ? key : undefined;
    await this.send("Input.dispatchKeyEvent", { type: text ? "keyDown" : "rawKeyDown", key, text });
    await this.send("Input.dispatchKeyEvent", { type: "keyUp", key });
  }

  async click(x, y) {
    for (const type of ["mousePressed", "mouseReleased"]) {
      await this.send("Input.dispatchMouseEvent", { type, x, y, button: "left", clickCount: 1 });
    }
  }

  step() {
    return this.run(() => Number(document.body.dataset.step));
  }

  async close() {
    this.browser.listeners.delete(this.listener);
    await this.browser.send("Target.closeTarget", { targetId: this.target });
  }
}

/** Contrast of what can be read in the page, by the formula of WCAG 2: of the body, and the poorest of all texts. */
function contrasts() {
  const parse = (colour) => {
    const [r, g, b, a = 1] = colour.match(/[\d.]+/g).map(Number);
    return { r, g, b, a };
  };
  const over = (top, below) => ({
    r: top.r * top.a + below.r * (1 - top.a), g: top.g * top.a + below.g * (1 - top.a), b: top.b * top.a + below.b * (1 - top.a), a: 1,
  });
  const background = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.push(parse(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((below, layer) => over(layer, below), { r: 255, g: 255, b: 255, a: 1 });
  };
  const luminance = ({ r, g, b }) => {
    const linear = [r, g, b].map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const ratio = (a, b) => {
    const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (high + 0.05) / (low + 0.05);
  };
  const of = (element, property) => ratio(parse(getComputedStyle(element)[property]), background(element));
  let poorest = { ratio: Infinity, text: "" };
  for (const element of document.querySelectorAll("body, body *")) {
    const own = [...element.childNodes].filter((node) => node.nodeType === 3 && node.data.trim() !== "");
    if (!own.length || !element.getClientRects().length || element.disabled || ["SCRIPT", "TITLE", "title"].includes(element.tagName)) continue;
    const found = of(element, element.namespaceURI.endsWith("svg") ? "fill" : "color");
    if (found < poorest.ratio) poorest = { ratio: found, text: own[0].data.trim().slice(0, 60) };
  }
  return { body: of(document.body, "color"), poorest };
}

async function check(browser, url, data) {
  // Names may hold them, the page shows their codes.
  const unseen = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/;
  const last = data.steps.length;
  for (const size of SIZES) {
    for (const theme of THEMES) {
      const where = `${size.name} ${theme}`;
      const page = await Page.open(browser, url, size, theme);
      const expect = (what, ok, found) => {
        if (!ok) throw new Failure(`${where}: ${what}: found ${JSON.stringify(found)}`);
        console.log(`ok  ${where}: ${what}`);
      };
      const equal = (what, found, wanted) => expect(`${what}: ${wanted}`, found === wanted, found);
      const quiet = (what) => expect(`no error and no request ${what}`, page.troubles.length === 0, page.troubles);

      quiet("when it opens");
      const title = await page.run(() => document.title);
      expect("it has a title, without unseen characters", title.length > 0 && !title.includes("{{ title") && !unseen.test(title), title);
      const fits = async (what) => {
        const widths = await page.run(() => [innerWidth, document.documentElement.scrollWidth]);
        expect(`the page is not wider than the screen ${what}`, Math.max(...widths) <= size.width, widths);
      };
      await fits("when it opens");
      equal("theme", await page.run(() => document.documentElement.dataset.theme), theme);
      equal("arrows, one for each step", await page.run(() => document.querySelectorAll("svg g[data-step]").length), last);
      const numbers = await page.run(() => [...document.querySelectorAll("svg g[data-step]")].map((group) => Number(group.dataset.step)));
      expect("each arrow has the number of its step", numbers.every((number, at) => number === at + 1), numbers);
      equal("lanes", await page.run(() => document.querySelectorAll("svg [data-lane]").length), data.lanes.length);

      // At least the page's own script ran and nothing of the data became part of the page.
      equal("foreign elements", await page.run(() => document.querySelectorAll("img, iframe, object, embed, link, form, base, a, foreignObject").length), 0);
      equal("scripts", await page.run(() => document.scripts.length), 2);
      equal("script that names smuggled in", await page.run(() => typeof window.__pwned), "undefined");
      const handlers = await page.run(() => [...document.querySelectorAll("*")].flatMap((element) =>
        element.getAttributeNames().filter((name) => name.startsWith("on"))));
      equal("event attributes", handlers.length, 0);
      const heading = await page.run(() => document.querySelector("h1").textContent);
      expect("the invariant is its heading, without unseen characters", !unseen.test(heading) && (unseen.test(data.invariant) || heading === data.invariant), heading);
      const wild = await page.run((source) => document.body.innerText.match(new RegExp(source, "g")) ?? [],
        unseen.source.replace("\\u0000-\\u001f", "\\u0000-\\u0008\\u000b-\\u001f"));
      equal("characters that cannot be seen", wild.length, 0);

      // Steps by keys.
      const press = async (key, wanted) => {
        await page.key(key);
        equal(`${key} leads to step`, await page.step(), wanted);
      };
      await press("Home", 0);
      equal("values at the start", await page.run(() => document.querySelectorAll("#step [data-value]").length), data.start.length);
      await press("ArrowLeft", 0);
      if (last > 0) {
        await press("ArrowRight", 1);
        await press("j", Math.min(2, last));
        await press("k", Math.min(2, last) - 1);
        await press("End", last);
        await press("ArrowRight", last);
        await press("ArrowLeft", last - 1);
        equal("step in the address", await page.run(() => location.hash), `#step=${last - 1}`);
      }
      // Steps by the address, by arrows, and by buttons. Not every step of a long report: these tell as much.
      const some = [...new Set([1, data.race?.await_from, data.race?.between[0], Math.ceil(last / 2), data.violation.step, last])];
      for (const step of some.filter((step) => step >= 1 && step <= last)) {
        await page.run((to) => { location.hash = `#step=${to}`; }, step === 1 ? last : 1);
        await page.settle();
        equal("the address leads to step", await page.step(), step === 1 ? last : 1);
        const at = await page.run((number) => {
          document.getElementById("scroller").scrollIntoView({ block: "center" });
          const group = document.querySelector(`g[data-step="${number}"]`);
          group.querySelector(".ink").scrollIntoView({ block: "center", inline: "center" });
          const box = (group.querySelector(".ink .shaft") ?? group).getBoundingClientRect();
          return { x: box.left + box.width / 2, y: box.top + box.height / 2 };
        }, step);
        await page.click(at.x, at.y);
        equal("a click on the arrow leads to step", await page.step(), step);
        equal(`values shown at step ${step}`, await page.run(() => document.querySelectorAll("#step [data-value]").length), data.steps[step - 1].values.length);
        const changed = data.steps[step - 1].values.filter((value) => value.before !== null).length;
        equal(`values marked as changed at step ${step}`, await page.run(() => document.querySelectorAll("#step .changed").length), changed);
        equal(`messages in flight at step ${step}`, await page.run(() => document.querySelectorAll("#step .flight li").length), data.steps[step - 1].in_flight.length);
        const seen = await page.run((number) => {
          const row = document.querySelector(`g[data-step="${number}"]`).getBoundingClientRect();
          const view = document.getElementById("scroller").getBoundingClientRect();
          // Lane names stay at its upper edge.
          const names = document.getElementById("lanes").getBoundingClientRect();
          return row.top >= names.bottom - 1 && row.bottom <= view.bottom + 1;
        }, step);
        expect(`step ${step} is in view in the diagram`, seen, seen);
        const lit = await page.run(() => [...document.querySelectorAll("g[data-step].current")].map((group) => Number(group.dataset.step)));
        expect(`step ${step} alone is lit`, lit.length === 1 && lit[0] === step, lit);
      }
      await page.run(() => document.getElementById("first").click());
      equal("button First leads to step", await page.step(), 0);
      await page.run(() => document.getElementById("last").click());
      equal("button Last leads to step", await page.step(), last);

      await fits("at the last step");
      const named = await page.run(() => [...document.querySelectorAll("svg")].every((svg) =>
        svg.getAttribute("aria-hidden") === "true" || (svg.getAttribute("role") === "img" && svg.querySelector(":scope > title"))));
      expect("each picture has a role and a title", named === true, named);
      for (const step of [last, data.race?.between[0] ?? 0]) {
        await page.run((to) => { location.hash = `#step=${to}`; }, step);
        await page.settle();
        const contrast = await page.run(contrasts);
        expect("contrast of text at least 4.5", contrast.body >= 4.5, contrast.body);
        expect(`contrast of every text at step ${step} at least 4.5`, contrast.poorest.ratio >= 4.5, contrast.poorest);
      }

      // Back and forth, last: it changes the theme that the checks above are about.
      const other = theme === "light" ? "dark" : "light";
      await page.run(() => document.getElementById("theme").click());
      equal("the button changes the theme to", await page.run(() => document.documentElement.dataset.theme), other);
      equal("script that names smuggled in, after all steps", await page.run(() => typeof window.__pwned), "undefined");
      quiet("until the end");
      await page.close();
    }
  }
}

async function shots(browser, url, data, folder) {
  mkdirSync(folder, { recursive: true });
  const middle = data.race?.between[Math.floor(data.race.between.length / 2)] ?? Math.ceil(data.steps.length / 2);
  for (const size of SIZES) {
    for (const theme of THEMES) {
      const page = await Page.open(browser, url, size, theme);
      await page.run((step) => { location.hash = `#step=${step}`; }, middle);
      await page.settle();
      if (size.mobile) {
        // A phone shows a part of the page at a time: here it is as high as the page, and the picture has all of it.
        const height = await page.run(() => document.documentElement.scrollHeight);
        await page.send("Emulation.setDeviceMetricsOverride", { ...size, height, deviceScaleFactor: 1 });
        await page.settle();
      }
      const { data: png } = await page.send("Page.captureScreenshot", { format: "png" });
      const path = join(folder, `${size.name}-${theme}.png`);
      writeFileSync(path, Buffer.from(png, "base64"));
      console.log(path);
      await page.close();
    }
  }
}

class Failure extends Error {}

async function main() {
  const [what, report, folder] = process.argv.slice(2);
  if (!report || !(what === "page" || (what === "shots" && folder))) {
    console.error("usage: node check.mjs page REPORT.html | shots REPORT.html OUTDIR");
    return 2;
  }
  const html = readFileSync(report, "utf8");
  const found = /<script type="application\/json" id="data">([\s\S]*?)<\/script>/.exec(html);
  if (!found) throw new Failure(`${report} holds no data`);
  const data = JSON.parse(found[1]);
  const path = findChromium();
  if (!path) {
    console.log("skipped: no Chromium");
    return 77;
  }
  const browser = new Browser(path);
  let timer;
  const stop = () => browser.close().then(() => process.exit(1));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, stop);
  try {
    const limit = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Failure(`not done after ${LIMIT_MS / 1000} s`)), LIMIT_MS);
    });
    const url = pathToFileURL(resolve(report)).href;
    await Promise.race([limit, what === "page" ? check(browser, url, data) : shots(browser, url, data, folder)]);
    return 0;
  } finally {
    clearTimeout(timer);
    await browser.close();
  }
}

main().then((code) => process.exit(code), (error) => {
  console.log(`FAILED  ${error instanceof Failure ? error.message : error.stack}`);
  process.exit(1);
});
