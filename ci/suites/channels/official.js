// The official client, two versions of it, over both transports: official.js LAB
"use strict"
const {Server, within, until, same, row, run} = require("./common")
globalThis.WebSocket = require("ws")
globalThis.self = globalThis // version 1.7 finds nothing else outside of a browser

// What version 1.7 polls with, over the fetch of Node.
globalThis.XMLHttpRequest = class {
  open(method, url) { Object.assign(this, {method, url, headers: {}, control: new AbortController()}) }
  setRequestHeader(name, value) { this.headers[name] = value }
  abort() { this.control.abort() }
  send(body) {
    const timer = this.timeout && setTimeout(() => { this.control.abort(); this.ontimeout && this.ontimeout() }, this.timeout)
    const {method, headers} = this
    fetch(this.url, {method, headers, body: body || undefined, signal: this.control.signal})
      .then(async (answer) => Object.assign(this, {status: answer.status, responseText: await answer.text()}))
      .catch((error) => { this.status = 0; this.responseText = ""; if (error.name !== "AbortError" && this.onerror) this.onerror(error) })
      .finally(() => { clearTimeout(timer); this.readyState = 4; this.onreadystatechange && this.onreadystatechange() })
  }
}

const VERSIONS = {"1.8": "1.8.16", "1.7": "1.7.21"}

function reply(push, what, status = "ok") {
  return within(new Promise((resolve, reject) => {
    for (const other of ["ok", "error", "timeout"]) {
      push.receive(other, (response) => other === status ? resolve(response) : reject(new Error(`${what}: ${other} ${JSON.stringify(response)}`)))
    }
  }), what)
}

const bytes = (...all) => Uint8Array.from(all).buffer
const plain = (buffer) => Array.from(new Uint8Array(buffer))

async function suite(server, version, transport) {
  const {Socket, Presence, LongPoll} = require(`phoenix-${version}`)
  const client = `phoenix ${VERSIONS[version]}, ${transport}`
  const sockets = []
  let rooms = 0
  const room = () => `room:${version}-${transport}-${++rooms}`
  const connect = (params = {}, options = {}) => {
    const over = transport === "long-poll" ? {transport: LongPoll} : {}
    const socket = new Socket(server.url(), {params, ...over, ...options})
    socket.connect()
    sockets.push(socket)
    return socket
  }
  const joined = async (socket, topic, params = {}) => {
    const channel = socket.channel(topic, params)
    await reply(channel.join(), `join ${topic}`)
    return channel
  }
  const one = async (name, body) => {
    await run(client, name, body)
    sockets.splice(0).forEach((socket) => socket.disconnect())
  }

  await one("join", async () => { await joined(connect(), room()) })
  await one("join refused", async () => {
    const channel = connect().channel("private:x", {})
    same(await reply(channel.join(), "join", "error"), {reason: "unauthorized"}, "the reason")
    channel.leave()
  })
  await one("join of no topic", async () => {
    const channel = connect().channel("nowhere", {})
    same(await reply(channel.join(), "join", "error"), {reason: "unmatched topic"}, "the reason")
    channel.leave()
  })
  await one("push and reply", async () => {
    const channel = await joined(connect(), room())
    same(await reply(channel.push("ping", {n: [1, "\u{1F426}"]}), "ping"), {n: [1, "\u{1F426}"]}, "the reply")
  })
  await one("late reply", async () => {
    const channel = await joined(connect(), room())
    same(await reply(channel.push("later", {n: 7}), "later"), {n: 7}, "the reply")
  })
  await one("unknown event", async () => {
    const channel = await joined(connect(), room())
    same(await reply(channel.push("nothing", {}), "nothing", "error"), {reason: "unknown event"}, "the reply")
  })
  await one("broadcast", async () => {
    const topic = room()
    const [sender, other] = [await joined(connect(), topic), await joined(connect(), topic)]
    const heard = []
    for (const channel of [sender, other]) channel.on("pong", (payload) => heard.push(payload.n))
    sender.push("ping", {n: 3})
    await until("both hear it", () => heard.length === 2)
    same(heard, [3, 3], "what is heard")
  })
  await one("broadcast to others", async () => {
    const topic = room()
    const [sender, other] = [await joined(connect(), topic), await joined(connect(), topic)]
    const heard = []
    sender.on("shout", () => heard.push("sender"))
    other.on("shout", () => heard.push("other"))
    sender.push("shout", {})
    await until("the other hears it", () => heard.length > 0)
    await reply(sender.push("ping", {}), "ping")
    same(heard, ["other"], "who hears it")
  })
  await one("order", async () => {
    const topic = room()
    const [sender, other] = [await joined(connect(), topic), await joined(connect(), topic)]
    const heard = []
    other.on("pong", ({n}) => heard.push(n))
    // Of a body only the first 100 lines are read, and version 1.7 sends what waits in one.
    const count = transport === "long-poll" ? 90 : 200
    for (let n = 0; n < count; n++) sender.push("ping", {n})
    await until("all are heard", () => heard.length === count)
    same(heard, [...Array(count).keys()], "the order")
  })
  if (transport === "long-poll") {
    row(client, "binary payloads", "skipped", "this client cannot poll binary frames: the answer to a poll is JSON text")
  } else {
    await one("binary payloads", async () => {
      const channel = await joined(connect(), room())
      const pushed = new Promise((resolve) => channel.on("bytes", resolve))
      same(plain(await reply(channel.push("bytes", bytes(0, 1, 255)), "bytes")), [0, 1, 255], "the reply")
      same(plain(await within(pushed, "a push")), [0, 1, 255], "the push")
    })
    await one("binary broadcast", async () => {
      const topic = room()
      const [sender, other] = [await joined(connect(), topic), await joined(connect(), topic)]
      const heard = new Promise((resolve) => other.on("shout", resolve))
      sender.push("shout", bytes(9, 8, 7))
      same(plain(await within(heard, "the other hears it")), [9, 8, 7], "the bytes")
    })
  }
  await one("presence", async () => {
    const topic = room()
    const [alice, bob] = [connect({user: "alice"}), connect({user: "bob"})]
    const names = (presence) => presence.list((name) => name).sort().join(" ")
    const channel = alice.channel(topic, {})
    const presence = new Presence(channel)
    await reply(channel.join(), "join")
    await until("alice is there", () => names(presence) === "alice")
    const other = bob.channel(topic, {})
    const seen = new Presence(other)
    await reply(other.join(), "join")
    await until("both see both", () => names(presence) === "alice bob" && names(seen) === "alice bob")
    bob.disconnect()
    await until("bob is gone", () => names(presence) === "alice", transport === "long-poll" ? 20000 : 2000)
  })
  await one("leave", async () => {
    const socket = connect()
    const topic = room()
    const channel = await joined(socket, topic)
    const closed = new Promise((resolve) => channel.onClose(resolve))
    await reply(channel.leave(), "leave")
    await within(closed, "the channel is closed")
    await joined(socket, topic)
  })
  await one("the channel stops", async () => {
    const channel = await joined(connect(), room())
    const closed = new Promise((resolve) => channel.onClose(resolve))
    same(await reply(channel.push("stop", {n: 1}), "stop"), {n: 1}, "the reply")
    await within(closed, "the channel is closed")
  })
  await one("the channel crashes: rejoin", async () => {
    const channel = await joined(connect(), room())
    const failed = new Promise((resolve) => channel.onError(resolve))
    channel.push("crash", {})
    await within(failed, "phx_error")
    await until("it is joined again", () => channel.state === "joined")
    await reply(channel.push("ping", {}), "ping")
  })
  await one("connect refused", async () => {
    const socket = connect({refuse: "1"})
    await within(new Promise((resolve) => socket.onError(resolve)), "an error")
    if (socket.isConnected()) throw new Error("it is connected")
  })
  if (version === "1.7") {
    row(client, "auth token", "skipped", "the client has it since 1.8")
  } else {
    await one("auth token", async () => {
      const channel = connect({}, {authToken: "carol"}).channel(room(), {})
      const presence = new Presence(channel)
      await reply(channel.join(), "join")
      await until("the token's bearer is present", () => presence.list((name) => name).join() === "carol")
    })
  }
  await one("the server is killed and comes back: rejoin", async () => {
    const topic = room()
    const [socket, other] = [connect({user: "alice"}), connect({user: "bob"})]
    const [channel, listener] = [await joined(socket, topic), socket && other.channel(topic, {})]
    const presence = new Presence(listener)
    await reply(listener.join(), "join")
    await server.kill()
    await until("both notice", () => channel.state !== "joined" && listener.state !== "joined")
    await server.start()
    await until("both are joined again", () => channel.state === "joined" && listener.state === "joined", 15000)
    const heard = new Promise((resolve) => listener.on("pong", resolve))
    await reply(channel.push("ping", {again: true}), "ping")
    same(await within(heard, "a broadcast"), {again: true}, "the broadcast")
    await until("both are present", () => presence.list((name) => name).sort().join(" ") === "alice bob")
  })
}

async function main() {
  const server = new Server(process.argv[2])
  await server.start()
  for (const version of Object.keys(VERSIONS)) {
    for (const transport of ["WebSocket", "long-poll"]) await suite(server, version, transport)
  }
  await server.kill()
}

main().then(() => process.exit(0), (error) => { console.error(error); process.exit(2) })
