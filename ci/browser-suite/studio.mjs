// Three pages in one room, and what happens to the server meanwhile. A line for each check.
import { join } from "node:path";
import { chromium } from "playwright-core";
import { Studio, check, exit_code } from "../studio.mjs";

const pictures = process.argv[2];
const studio = new Studio();

const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const url = (path) => `http://localhost:${studio.port}${path}`;
const online = (page) => page.locator("#online").textContent();
const said = (page) => page.locator("#messages .said").allTextContents();

async function until(what, limit, condition) {
  const began = Date.now();
  while (Date.now() - began < limit) {
    if (await condition()) return Date.now() - began;
    await new Promise((go) => setTimeout(go, 20));
  }
  console.log(`      (not within ${limit} ms: ${what})`);
  return null;
}

async function sees(pages, text, limit = 5000) {
  const all = async () => (await Promise.all(pages.map(online))).every((line) => line === text);
  const took = await until(text, limit, all);
  const fact = took === null ? (await Promise.all(pages.map(online))).join(" | ") : `after ${took} ms`;
  check(text, took !== null, fact);
  return took;
}

async function say(page, text) {
  await page.locator("#text").fill(text);
  await page.locator("#text").press("Enter");
}

async function reads(pages, text, limit = 5000) {
  const all = async () => (await Promise.all(pages.map(said))).every((lines) => lines.filter((line) => line === text).length === 1);
  return until(text, limit, all);
}

async function enter(context, name, room = "lobby") {
  const page = await context.newPage();
  page.on("pageerror", (error) => check(`no error in ${name}'s page`, false, error.message));
  page.on("console", (line) => {
    if (/Content Security Policy/i.test(line.text())) check(`no breach of policy in ${name}'s page`, false, line.text());
  });
  page.on("framenavigated", () => (page.loads = (page.loads ?? 0) + 1));
  await page.goto(url(`/rooms/${room}`));
  await page.locator("#who-name").fill(name);
  await page.locator("#join").click();
  await until(`${name} is in`, 5000, async () => (await page.locator("#state").textContent()) === "online");
  return page;
}

async function main() {
  await studio.start();
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: flags });
  try {
    await run(browser);
  } finally {
    await browser.close();
    if (process.env.PAGES !== "keep") await studio.end("SIGKILL");
    studio.forget();
  }
}

async function run(browser) {
  const pages = [];
  for (const name of ["Alice", "Bob", "Charlie"]) {
    pages.push(await enter(await browser.newContext({ viewport: { width: 1200, height: 800 } }), name));
  }
  const [alice, bob, charlie] = pages;
  await sees(pages, "Online: Alice, Bob, Charlie (3 users)");

  await say(alice, "Good morning, everybody.");
  check("what Alice says appears for all, without a reload", (await reads(pages, "Good morning, everybody.")) !== null);
  await say(bob, "Morning! Did the night's deploy go well?");
  await say(alice, "It did. 1,012 sockets were drained in batches, and all of them were back within two seconds.\nNobody has noticed.");
  await say(charlie, "I have not noticed, so I can confirm.");
  await reads(pages, "I have not noticed, so I can confirm.");

  await bob.locator("#text").pressSequentially("I wonder");
  const typing = await until("typing", 3000, async () => (await alice.locator("#typing").textContent()) === "Bob is typing…");
  check("Bob is typing, and the others see it", typing !== null);
  await shoot(alice);
  await bob.locator("#text").fill("");

  const hostile = '<img src=x onerror="document.title=1"><script>document.title=2</script>';
  await say(bob, hostile);
  check("a hostile text stays text", (await reads(pages, hostile)) !== null && (await alice.locator("#messages img").count()) === 0);
  const mallory = await enter(await browser.newContext(), "<b>__proto__</b>", "tea-time");
  check("a hostile name stays text", (await online(mallory)) === "Online: <b>__proto__</b> (1 user)", await online(mallory));
  check("another room is another room", (await said(mallory)).length === 0);
  await mallory.close();

  await charlie.close();
  const gone = await sees([alice, bob], "Online: Alice, Bob (2 users)", 2000);
  check("a page that is closed is gone within 2 s", gone !== null);
  pages[2] = await enter(await browser.newContext({ viewport: { width: 1200, height: 800 } }), "Charlie");
  await sees(pages, "Online: Alice, Bob, Charlie (3 users)");
  check("who comes later reads what was said", (await said(pages[2])).includes("Good morning, everybody."));

  await restart(pages, alice, bob);
  await refusals(browser);

  const code = await Promise.race([studio.end("SIGTERM"), new Promise((late) => setTimeout(() => late("no end within 30 s"), 30_000))]);
  check("asked to end, it ends with 0", code === 0, `${code}`);
  await studio.start();
  check("and when it is back, so are they", (await sees(pages, "Online: Alice, Bob, Charlie (3 users)", 20_000)) !== null);
}

async function restart(pages, alice, bob) {
  const loads = pages.map((page) => page.loads);
  const before = await said(alice);
  await studio.end("SIGKILL");
  await until("reconnecting", 5000, async () => (await alice.locator("#state").textContent()) === "reconnecting");
  check("a page says that the server is away", (await alice.locator("#state").textContent()) === "reconnecting");
  await say(bob, "Said while the server was away.");
  await studio.start();
  await sees(pages, "Online: Alice, Bob, Charlie (3 users)", 15_000);
  check("what was said meanwhile arrives, once", (await reads(pages, "Said while the server was away.", 10_000)) !== null);
  check("nothing is lost or doubled", JSON.stringify((await said(alice)).slice(0, before.length)) === JSON.stringify(before) && (await said(alice)).length === before.length + 1);
  await say(alice, "And we are back.");
  check("and it goes on", (await reads(pages, "And we are back.")) !== null);
  check("without a reload", pages.every((page, at) => page.loads === loads[at]));
}

async function refusals(browser) {
  const page = await (await browser.newContext()).newPage();
  for (const [path, status, reason] of [
    ["/rooms/private:staff", 403, "This room is private."],
    ["/rooms/_hidden", 403, "This room is private."],
    ["/rooms/No%20Such%2FRoom", 400, "A room's name is"],
  ]) {
    const answer = await page.goto(url(path));
    const body = await page.locator("body").innerText();
    check(`${path} is refused with ${status} and a reason`, answer.status() === status && body.includes(reason), `${answer.status()}`);
  }
}

/** Pictures of all pages: light, dark, on a phone. */
async function shoot(room) {
  await room.screenshot({ path: join(pictures, "room-light.png") });
  await room.emulateMedia({ colorScheme: "dark" });
  await room.screenshot({ path: join(pictures, "room-dark.png") });
  await room.setViewportSize({ width: 390, height: 780 });
  await room.screenshot({ path: join(pictures, "room-phone-dark.png") });
  await room.emulateMedia({ colorScheme: "light" });
  await room.screenshot({ path: join(pictures, "room-phone.png") });
  await room.setViewportSize({ width: 1200, height: 800 });
  const page = await room.context().newPage();
  for (const [name, path] of [["front", "/"], ["node", "/node"]]) {
    await page.goto(url(path));
    await page.waitForTimeout(600);
    for (const scheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme: scheme });
      await page.screenshot({ path: join(pictures, `${name}-${scheme}.png`) });
    }
    await page.setViewportSize({ width: 390, height: 780 });
    await page.screenshot({ path: join(pictures, `${name}-phone.png`) });
    await page.setViewportSize({ width: 1200, height: 800 });
  }
  await page.goto(url("/rooms/no-name-yet"));
  await page.evaluate(() => { sessionStorage.clear(); localStorage.clear(); });
  await page.reload();
  await page.waitForTimeout(300);
  await page.screenshot({ path: join(pictures, "name.png") });
  await page.close();
}

await main();
console.log(exit_code() ? "some checks have failed" : "all passed");
process.exit(exit_code());
