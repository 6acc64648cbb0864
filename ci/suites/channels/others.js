// Clients for Node that others wrote: others.js LAB
"use strict"
const {Server, within, until, same, row, run} = require("./common")

async function old(server) {
  const {Socket} = require("phoenix-channels")
  const client = "phoenix-channels 1.0.0"
  const reply = (push, what) => within(new Promise((resolve, reject) => {
    push.receive("ok", resolve).receive("error", (why) => reject(new Error(`${what}: ${JSON.stringify(why)}`)))
  }), what)
  const connect = () => {
    const socket = new Socket(server.url(), {reconnectAfterMs: () => 100})
    socket.connect()
    return socket
  }
  const [one, other] = [connect(), connect()]
  const [channel, listener] = [one.channel("room:old", {}), other.channel("room:old", {})]
  const heard = []
  listener.on("pong", ({n}) => heard.push(n))
  await run(client, "join", async () => { await reply(channel.join(), "join"); await reply(listener.join(), "join") })
  await run(client, "push and reply", async () => same(await reply(channel.push("ping", {n: 1}), "ping"), {n: 1}, "the reply"))
  await run(client, "broadcast", () => until("the other hears it", () => heard.includes(1)))
  await run(client, "the server is killed and comes back: rejoin", async () => {
    await server.kill()
    await server.start()
    await until("both are connected", () => one.isConnected() && other.isConnected(), 15000)
    await until("both are joined", () => channel.state === "joined" && listener.state === "joined", 15000)
    await until("broadcasts are heard again", () => { channel.push("ping", {n: 2}); return heard.includes(2) }, 15000)
  })
  await run(client, "leave", async () => {
    const closed = new Promise((resolve) => channel.onClose(resolve))
    await reply(channel.leave(), "leave")
    await within(closed, "the channel is closed")
  })
  one.disconnect()
  other.disconnect()
}

async function supabase(server) {
  const {RealtimeClient} = require("@supabase/realtime-js")
  const client = "@supabase/realtime-js 2.109.0"
  const connect = () => new RealtimeClient(server.url(), {
    transport: require("ws"), params: {apikey: "none"}, vsn: "1.0.0", reconnectAfterMs: () => 100,
  })
  const [one, other] = [connect(), connect()]
  const heard = []
  const options = {config: {broadcast: {self: true}}}
  const [channel, listener] = [one.channel("lobby", options), other.channel("lobby", options)]
  listener.on("broadcast", {event: "said"}, ({payload}) => heard.push(payload.n))
  const states = {}
  await run(client, "join", async () => {
    channel.subscribe((state) => { states.one = state })
    listener.subscribe((state) => { states.other = state })
    await until("both are subscribed", () => states.one === "SUBSCRIBED" && states.other === "SUBSCRIBED")
  })
  row(client, "push and reply", "skipped", "it has no public push with a reply; what it sends are broadcasts")
  await run(client, "broadcast", async () => {
    same(await channel.send({type: "broadcast", event: "said", payload: {n: 1}}), "ok", "what send says")
    await until("the other hears it", () => heard.includes(1))
  })
  await run(client, "the server is killed and comes back: rejoin", async () => {
    await server.kill()
    await until("both notice", () => states.one !== "SUBSCRIBED" && states.other !== "SUBSCRIBED")
    await server.start()
    await until("both are subscribed", () => states.one === "SUBSCRIBED" && states.other === "SUBSCRIBED", 20000)
    await channel.send({type: "broadcast", event: "said", payload: {n: 2}})
    await until("the other hears it", () => heard.includes(2))
  })
  await run(client, "leave", async () => same(await within(channel.unsubscribe(), "leave"), "ok", "what unsubscribe says"))
  row(client, "vsn 2.0.0", "skipped", "its broadcasts are then a binary kind of its own (3), which is not Phoenix's")
  one.disconnect()
  other.disconnect()
}

async function main() {
  const server = new Server(process.argv[2])
  await server.start()
  await old(server)
  await supabase(server)
  await server.kill()
}

main().then(() => process.exit(0), (error) => { console.error(error); process.exit(2) })
