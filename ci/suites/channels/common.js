// What the suites of Node share: the server, waiting with a limit, and rows of results.
"use strict"
const {spawn} = require("child_process")

const LIMIT_MS = 8000

// `lab channels` as a process that can be killed and started again on the same port.
class Server {
  constructor(lab) {
    this.lab = lab
    this.port = 0
  }

  async start() {
    this.child = spawn(this.lab, ["channels", "--port", String(this.port)], {stdio: ["ignore", "pipe", "ignore"]})
    const line = new Promise((resolve, reject) => {
      let said = ""
      this.child.stdout.on("data", (data) => {
        said += data
        const found = /:(\d+)\/socket/.exec(said)
        if (found) resolve(Number(found[1]))
      })
      this.child.on("exit", (code) => reject(new Error(`the server ends with ${code}`)))
    })
    this.port = await within(line, "the server listens")
  }

  async kill() {
    const gone = new Promise((resolve) => this.child.on("exit", resolve))
    this.child.kill("SIGKILL")
    await gone
  }

  url(scheme = "ws") {
    return `${scheme}://127.0.0.1:${this.port}/socket`
  }
}

function within(promise, what, limit = LIMIT_MS) {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${limit} ms: ${what}`)), limit)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

async function until(what, isSo, limit = LIMIT_MS) {
  const end = Date.now() + limit
  while (!isSo()) {
    if (Date.now() > end) throw new Error(`not within ${limit} ms: ${what}`)
    await sleep(10)
  }
}

function same(is, expected, what) {
  if (JSON.stringify(is) !== JSON.stringify(expected)) {
    throw new Error(`${what}: ${JSON.stringify(is)} and not ${JSON.stringify(expected)}`)
  }
}

// Rows: client, case, verdict, reason.
function row(client, name, verdict, reason = "") {
  console.log([client, name, verdict, reason.replace(/\s+/g, " ")].join("\t"))
}

async function run(client, name, body) {
  try {
    await within(body(), "the whole case", 30000)
    row(client, name, "ok")
  } catch (error) {
    row(client, name, "FAILED", String(error && error.message || error))
  }
}

module.exports = {Server, within, sleep, until, same, row, run}
