// The node page: asks for figures each second while somebody looks.
const $ = (id) => document.getElementById(id);
const number = new Intl.NumberFormat();

function span(ms) {
  const s = Math.floor(ms / 1000);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s / 60) % 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s / 3600) % 24)} h`;
}

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function card(title, facts) {
  const made = element("div", undefined, "card");
  const list = element("dl");
  for (const [name, value] of facts) {
    list.append(element("dt", name), element("dd", value === undefined ? "" : number.format(value)));
  }
  made.append(element("h3", title), list);
  return made;
}

function cells(values) {
  const row = element("tr");
  for (const value of values) {
    const isNone = value === null || value === undefined;
    const cell = element("td", isNone ? "" : typeof value === "number" ? number.format(value) : value);
    if (value === 0) cell.className = "zero";
    row.append(cell);
  }
  return row;
}

function process(info) {
  const { label, pid, kind, queue, most, shed, handled, age_ms: age, bytes, depth } = info;
  const row = cells(["", kind, queue, most, shed, handled, age ? span(age) : null, bytes]);
  const first = row.firstElementChild;
  first.append(element("span", `${"  ".repeat(depth)}${depth ? "└ " : ""}`, "tree"), label || pid);
  first.title = pid;
  return row;
}

function show(node) {
  $("said").textContent = `${node.node} ${node.version}, up for ${span(node.uptime_s * 1000)}, live`;
  const { connections, sockets, pubsub, rooms } = node;
  $("figures").replaceChildren(
    card("Connections", [
      ["open", connections?.open],
      ["accepted", connections?.accepted],
      ["refused", connections?.refused],
      ["accept errors", connections?.accept_errors],
    ]),
    card("Sockets", [
      ["open", sockets.open],
      ["by long-poll", sockets.long_poll],
      ["frames sent", sockets.sent],
      ["frames dropped", sockets.dropped + sockets.replaced],
      ["closed as too slow", sockets.overflowed],
    ]),
    card("Topics", [
      ["topics", pubsub.topics],
      ["subscribers", pubsub.subscribers],
      ["broadcasts", pubsub.broadcasts],
      ["delivered", pubsub.delivered],
      ["dropped", pubsub.dropped],
    ]),
    card("Rooms", [
      ["in use", rooms.running],
      ["people", node.presences],
      ["messages said", rooms.said],
      ["refused", rooms.refused],
      ["processes", node.processes.count],
    ]),
  );
  fill("processes", node.processes, process);
  fill("topics", node.topics, (topic) => cells([topic.topic, topic.subscribers]));
}

function fill(id, { rows, count }, make) {
  const made = rows.map(make);
  if (count > rows.length) made.push(cells([`and ${number.format(count - rows.length)} more`]));
  if (count === 0) made.push(cells(["none"]));
  $(id).tBodies[0].replaceChildren(...made);
}

async function look() {
  if (document.hidden) return;
  try {
    const answer = await fetch("/node.json", { cache: "no-store" });
    if (!answer.ok) throw new Error(`${answer.status}`);
    show(await answer.json());
  } catch (error) {
    $("said").textContent = `no answer (${error.message}); trying again`;
  }
}

look();
setInterval(look, 1000);
