// What has been said in a room, as this page knows it: by number, each once, with those of ours that are on their way.
// Everything that comes from others is put into the page as text (textContent), never as markup.

const MESSAGES_MAX = 1000;
const SAME_SPEAKER_MS = 5 * 60 * 1000;

export function hueOf(name) {
  let hash = 0;
  for (const char of name) hash = (hash * 31 + char.codePointAt(0)) % 360;
  return hash;
}

export function face(name) {
  const face = document.createElement("span");
  face.className = "face";
  face.ariaHidden = "true";
  face.style.setProperty("--hue", hueOf(name));
  face.textContent = [...name][0]?.toUpperCase() ?? "?";
  return face;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const calendar = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const dayOf = (at) => new Date(at).toDateString();

function spokenDay(at) {
  if (dayOf(at) === dayOf(Date.now())) return "Today";
  if (dayOf(at) === dayOf(Date.now() - 86_400_000)) return "Yesterday";
  return calendar.format(at);
}

export class Messages {
  #list;
  #known = new Map(); // by number
  #pending = new Map(); // by nonce
  #live = new Set(); // numbers that came since the last join

  constructor(list) {
    this.#list = list;
  }

  get size() {
    return this.#known.size + this.#pending.size;
  }

  pending() {
    return [...this.#pending.values()];
  }

  /** A new life of the channel: what comes before its history is kept beside it. */
  joining() {
    this.#live.clear();
  }

  /** The server's last messages. Whatever else we thought to know of that range is wrong. */
  history(messages) {
    const first = messages[0]?.id ?? Infinity;
    for (const id of this.#known.keys()) {
      if (id >= first && !this.#live.has(id)) this.#known.delete(id);
    }
    if (messages.length === 0) {
      for (const id of this.#known.keys()) if (!this.#live.has(id)) this.#known.delete(id);
    }
    for (const message of messages) this.#take(message);
    this.#render();
  }

  /** One message, told to all. Says whether it is new. */
  add(message) {
    this.#live.add(message.id);
    if (this.#known.has(message.id)) return false;
    this.#take(message);
    this.#render(message.id);
    return true;
  }

  /** One of ours, on its way. */
  send(message) {
    this.#pending.set(message.nonce, message);
    this.#render();
  }

  /** It is not on its way any more. */
  forget(nonce) {
    if (this.#pending.delete(nonce)) this.#render();
  }

  #take(message) {
    this.#known.set(message.id, message);
    if (message.nonce) this.#pending.delete(message.nonce);
  }

  #render(fresh) {
    const ids = [...this.#known.keys()].sort((one, other) => one - other);
    for (const id of ids.splice(0, Math.max(0, ids.length - MESSAGES_MAX))) this.#known.delete(id);
    const all = [...ids.map((id) => this.#known.get(id)), ...this.#pending.values()];
    const rows = [];
    let before = null;
    for (const message of all) {
      if (!before || dayOf(before.at) !== dayOf(message.at)) {
        rows.push(day(message.at));
        before = null;
      }
      const goesOn = before && before.name === message.name && message.at - before.at < SAME_SPEAKER_MS;
      rows.push(row(message, !goesOn, message.id !== undefined && message.id === fresh));
      before = message;
    }
    this.#list.replaceChildren(...rows);
  }
}

function day(at) {
  const line = document.createElement("li");
  line.className = "day";
  line.textContent = spokenDay(at);
  return line;
}

function row(message, isFirst, isFresh) {
  const item = document.createElement("li");
  item.className = "message";
  item.classList.toggle("first", isFirst);
  item.classList.toggle("fresh", isFresh);
  item.classList.toggle("pending", message.id === undefined);
  if (message.id !== undefined) item.dataset.id = message.id;
  item.style.setProperty("--hue", hueOf(message.name));
  if (isFirst) {
    const who = document.createElement("div");
    const name = document.createElement("b");
    const time = document.createElement("time");
    who.className = "who";
    name.textContent = message.name;
    time.dateTime = new Date(message.at).toISOString();
    time.textContent = clock.format(message.at);
    who.append(name, time);
    item.append(face(message.name), who);
  }
  const said = document.createElement("p");
  said.className = "said";
  said.textContent = message.text;
  said.title = `${message.name}, ${clock.format(message.at)}`;
  item.append(said);
  return item;
}
