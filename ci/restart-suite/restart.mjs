// Writers in each room, a crowd beside them, and a server that goes away and comes again. A line for each check.
import { spawn } from "node:child_process";
import { Socket } from "phoenix";
import WebSocket from "ws";
import { Studio, check, exit_code } from "../studio.mjs";

const CONNECTIONS = Number(process.env.CONNECTIONS);
const ROOMS = 100;
const KEPT = 100;
/** So many are written before; the budget of a topic is 20 at once and 5 a second. */
const WRITTEN = 110;
const BACK_WITHIN_S = 10;
const STOP_WITHIN_S = 30;
const DOWN_MS = 500;
/** So long it still takes requests after it was asked to end. */
const UNREADY_MS = 1000;

const room = `${CONNECTIONS + 1000}`;
const bounds = { STUDIO_CONNECTIONS_MAX: room, STUDIO_PER_ADDRESS_MAX: room };
const studio = new Studio({ ...bounds, STUDIO_LOG_LEVELS: "error", STUDIO_UNREADY: `${UNREADY_MS}ms` });

const sleep = (ms) => new Promise((go) => setTimeout(go, ms));

async function until(what, limit, condition) {
  const end = Date.now() + limit;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`not within ${limit} ms: ${what}`);
    await sleep(20);
  }
}

/** The crowd: it is cut by the server, comes back, and tells what it has seen. */
class Crowd {
  constructor(seconds) {
    const name = '{"name":"p{n}"}';
    const args = ["channels", "storm", "--by-server", "--json", "--url", `ws://127.0.0.1:${studio.port}/socket`, "--topic", "room:load"];
    args.push("--topics", `${ROOMS}`, "--connections", `${CONNECTIONS}`, "--join", name, "--seconds", `${seconds}`);
    this.child = spawn(process.env.LOAD, args, { stdio: ["ignore", "pipe", "pipe"] });
    this.ready = 0;
    this.progress = "";
    let said = "";
    this.child.stderr.on("data", (line) => {
      this.progress = `${line}`.trim();
      this.ready = Number(/(\d+) ready/.exec(this.progress)?.[1] ?? this.ready);
      process.stderr.write(`\r${this.progress.slice(0, 110).padEnd(112)}`);
    });
    this.child.stdout.on("data", (line) => (said += line));
    this.report = new Promise((told) => {
      this.child.on("exit", () => {
        process.stderr.write("\n");
        told(said ? JSON.parse(said) : { failures: { [this.progress]: 1 } });
      });
    });
  }

  async all_there() {
    await until(`${CONNECTIONS} connections`, 120_000, () => this.ready >= CONNECTIONS || this.child.exitCode !== null);
    await sleep(2000);
  }
}

/** Somebody who writes in a room, and knows what the server has acknowledged. */
class Writer {
  constructor(number) {
    this.number = number;
    this.acknowledged = [];
    this.unsure = new Set();
    this.sent = 0;
    this.joins = 0;
    this.socket = new Socket(`ws://127.0.0.1:${studio.port}/socket`, { transport: WebSocket });
    this.socket.connect();
    this.channel = this.socket.channel(`room:load-${number}`, { name: `writer ${number}` });
    this.channel.on("history", ({ messages }) => (this.history = messages));
    this.joined = new Promise((done) => {
      this.channel.join().receive("ok", () => {
        this.joins += 1;
        done();
      });
    });
  }

  write() {
    const text = `message ${this.sent} in room ${this.number}`;
    this.sent += 1;
    this.unsure.add(text);
    return new Promise((done) => {
      this.channel
        .push("new_msg", { text, nonce: text }, 10_000)
        .receive("ok", ({ id }) => {
          this.unsure.delete(text);
          this.acknowledged.push({ id, text });
          done(true);
        })
        .receive("error", () => {
          this.unsure.delete(text);
          done(false);
        })
        .receive("timeout", () => done(false));
    });
  }

  async write_many() {
    while (this.acknowledged.length < WRITTEN) {
      if (!(await this.write())) await sleep(1000);
    }
  }

  /** What is wrong with a room's history, or null. */
  wrong(history) {
    const ids = history.map(({ id }) => id);
    if (ids.some((id, at) => at > 0 && id <= ids[at - 1])) return "ids are not in order";
    const texts = history.map(({ text }) => text);
    if (new Set(texts).size !== texts.length) return "a message is there twice";
    const there = new Map(history.map(({ id, text }) => [id, text]));
    // Those of whom the answer was lost may stand between them.
    const must = this.acknowledged.filter(({ id }) => id > ids[ids.length - 1] - KEPT);
    const lost = must.filter(({ id, text }) => there.get(id) !== text);
    if (lost.length > 0) return `${lost.length} acknowledged messages are lost, such as "${lost[0].text}"`;
    if (history.length !== KEPT) return `there are ${history.length} messages`;
    const last = this.acknowledged[this.acknowledged.length - 1];
    return ids[ids.length - 1] >= last.id ? null : "the last is missing";
  }
}

/** A new page in a writer's room: the history that it is shown. */
async function history_of(writer) {
  const page = new Writer(writer.number);
  await page.joined;
  await until(`the history of room ${writer.number}`, 10_000, () => page.history);
  page.socket.disconnect();
  return page.history;
}

async function check_histories(writers, when) {
  let wrong = null;
  let acknowledged = 0;
  for (const writer of writers) {
    acknowledged += writer.acknowledged.length;
    const what = writer.wrong(await history_of(writer));
    if (what) wrong ??= `room ${writer.number}: ${what}`;
  }
  check(`each room's last ${KEPT} acknowledged messages are there ${when}`, wrong === null, wrong ?? `${acknowledged} in ${ROOMS} rooms`);
}

/** The server goes away while all are there and write, and comes again. */
async function restarted(writers, signal) {
  console.log(`-- ${signal}, ${CONNECTIONS} connections`);
  const crowd = new Crowd(30);
  await crowd.all_there();
  check("all are in", crowd.ready === CONNECTIONS, `${crowd.ready}`);
  const writing = writers.map((writer) => writer.write()); // the end may come before the answer
  await sleep(5);
  const asked = Date.now();
  const ended = studio.end(signal);
  if (signal === "SIGTERM") {
    await sleep(UNREADY_MS / 2);
    const answer = await fetch(`http://127.0.0.1:${studio.port}/readyz`);
    check("it says that it is not ready, while it still takes requests", answer.status === 503, `${answer.status} ${await answer.text()}`);
  }
  const code = await ended;
  const took = (Date.now() - asked) / 1e3;
  if (signal === "SIGTERM") check(`it ends with 0 within ${STOP_WITHIN_S} s`, code === 0 && took <= STOP_WITHIN_S, `${code}, ${took.toFixed(1)} s`);
  await sleep(DOWN_MS);
  const again = Date.now();
  await studio.start();
  const listens = (Date.now() - again) / 1e3;
  const report = await crowd.report;
  await Promise.all(writing);
  const cuts = Object.entries(report.cuts ?? {}).map(([how, count]) => `${count} x ${how}`).join(", ");
  if (signal === "SIGTERM") {
    const away = Object.entries(report.cuts ?? {}).filter(([how]) => /1012/.test(how)).reduce((sum, [, count]) => sum + count, 0);
    check("all were told to come again (1012)", away === CONNECTIONS, cuts);
    // Batches of 500, 150 ms from one to the next.
    check("in batches", report.cut_within_s >= 0.12 * (CONNECTIONS / 500 - 1), `within ${report.cut_within_s?.toFixed(2)} s`);
  } else {
    console.log(`      cut: ${cuts}`);
  }
  const failures = Object.entries(report.failures).map(([why, count]) => `${count} x ${why}`).join(", ");
  check("all have come back", report.received === CONNECTIONS && failures === "", failures || `${report.received}`);
  const back = (report.last_at_ms - again) / 1e3;
  const fact = `the last after ${back.toFixed(2)} s; the server was away for ${((again - asked) / 1e3).toFixed(2)} s, and listened ${listens.toFixed(2)} s after its start`;
  check(`within ${BACK_WITHIN_S} s of the start`, back > 0 && back <= BACK_WITHIN_S, fact);
  await until("writers are back", 15_000, () => writers.every((writer) => writer.channel.state === "joined"));
}

async function main() {
  await studio.start();
  const writers = Array.from({ length: ROOMS }, (_, number) => new Writer(number));
  await Promise.all(writers.map((writer) => writer.joined));
  await Promise.all(writers.map((writer) => writer.write_many()));
  check("messages are written", true, `${ROOMS * WRITTEN} acknowledged`);
  await restarted(writers, "SIGKILL");
  await check_histories(writers, "after the kill");
  await restarted(writers, "SIGTERM");
  await check_histories(writers, "after the stop");
  for (const writer of writers) writer.socket.disconnect();
}

try {
  await main();
} catch (error) {
  check("it comes to its end", false, error.message);
} finally {
  await studio.end("SIGKILL");
  studio.forget();
}
process.exit(exit_code());
