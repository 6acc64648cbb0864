// A room: joined by the official client, which also brings us back after the server was away.
import { Messages, face } from "./messages.js";

const OPEN_WITHIN_MS = 5000;
const TYPING_EVERY_MS = 2000;
const TYPING_LASTS_MS = 4000;

const $ = (id) => document.getElementById(id);
const room = document.body.dataset.room;
const messages = new Messages($("messages"));
const title = document.title;

let channel = null;
let presence = null;
let name = remembered();
let unread = 0;
let lastTyping = 0;
const typists = new Map();

$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});
$("text").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  submit();
});
$("text").addEventListener("input", () => {
  grow();
  typing($("text").value !== "");
});
$("newer").addEventListener("click", toTheEnd);
$("scroll").addEventListener("scroll", () => {
  if (isAtEnd()) $("newer").hidden = true;
});
$("rename").addEventListener("click", () => ask());
$("who-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const wanted = $("who-name").value.trim();
  if (!wanted) return;
  $("who").close();
  if (socket) join(wanted);
  else name = wanted; // it is joined when the socket is there
});
$("who").addEventListener("cancel", (event) => {
  if (!channel || channel.state === "closed") event.preventDefault();
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  unread = 0;
  document.title = title;
});

const client = await import("phoenix").catch(() => null);
if (!client) await waitForClient();
const { Socket, Presence, LongPoll } = client;

if (!name) ask();
let socket = null;
socket = await connect();
if (name && !channel) join(name);

// WebSockets, or long-poll where a network lets none through. (The client's own fallback would also leave WebSockets
// for good when a server is only away for a moment.)
async function connect() {
  const first = open();
  const isOpen = new Promise((opened) => first.onOpen(() => opened(true)));
  if (await Promise.race([isOpen, pause(OPEN_WITHIN_MS)])) return first;
  const answer = await fetch("/healthz", { cache: "no-store" }).catch(() => null);
  if (!answer?.ok || first.isConnected()) return first;
  first.disconnect();
  return open({ transport: LongPoll });
}

function open(options) {
  const socket = new Socket("/socket", options);
  socket.onOpen(() => say("state", "joining", "joining"));
  socket.onClose(() => say("state", "reconnecting", "reconnecting"));
  socket.onError(() => say("state", "reconnecting", "reconnecting"));
  socket.connect();
  return socket;
}

function pause(ms) {
  return new Promise((go) => setTimeout(() => go(false), ms));
}

// The name: of this tab, else of this browser, else asked for. A link may bring one along.
function remembered() {
  const given = new URLSearchParams(location.search).get("name");
  return given || read(sessionStorage) || "";
}

function read(store) {
  try {
    return store.getItem("studio:name");
  } catch {
    return null;
  }
}

function remember(name) {
  for (const store of [() => sessionStorage, () => localStorage]) {
    try {
      store().setItem("studio:name", name);
    } catch {
      // A browser that keeps nothing asks again next time.
    }
  }
}

function ask(problem) {
  $("who-problem").hidden = !problem;
  $("who-problem").textContent = problem ?? "";
  $("who-name").value = name || read(localStorage) || "";
  if (!$("who").open) $("who").showModal();
  $("who-name").select();
}

function join(wanted) {
  const former = channel;
  channel = null;
  former?.leave();
  name = wanted;
  $("me").textContent = wanted;
  const mine = socket.channel(`room:${room}`, () => ({ name }));
  channel = mine;
  let isRefused = false;
  messages.joining();
  mine.onError(() => {
    messages.joining();
    showState();
  });
  mine.onClose(() => {
    if (mine !== channel || isRefused) return;
    say("state", "refused", "closed");
    problem("The server has closed this room for you. Reload to try again.");
  });
  mine.on("history", (history) => {
    messages.history(history.messages);
    $("empty").hidden = messages.size > 0;
    toTheEnd();
    // What was on its way when the server went away is sent again; it takes each once.
    for (const message of messages.pending()) push(message);
  });
  mine.on("new_msg", (message) => {
    const wasAtEnd = isAtEnd();
    stopsTyping(message.name);
    if (!messages.add(message)) return;
    $("empty").hidden = true;
    if (wasAtEnd || message.name === name) toTheEnd();
    else $("newer").hidden = false;
    if (document.hidden && message.name !== name) {
      unread += 1;
      document.title = `(${unread}) ${title}`;
    }
  });
  mine.on("typing", ({ name, typing }) => (typing ? types(name) : stopsTyping(name)));
  presence = new Presence(mine);
  presence.onSync(showPeople);
  mine
    .join()
    .receive("ok", (joined) => {
      name = joined.name;
      remember(name);
      $("me").textContent = name;
      problem("");
      showState();
      if (!$("who").open) $("text").focus();
    })
    .receive("error", (refusal) => {
      if (mine !== channel) return;
      showState();
      if (refusal.reason === "bad_name") {
        isRefused = true;
        mine.leave();
        ask(refusal.message);
      } else if (["private_room", "bad_room_name", "too_many_rooms"].includes(refusal.reason)) {
        isRefused = true;
        mine.leave(); // for good; else the client would try again and again
        say("state", "refused", "refused");
        problem(refusal.message);
      } else {
        problem(refusal.message ?? `The room cannot be joined now (${refusal.reason}).`);
      }
    });
}

function say(id, state, text) {
  $(id).dataset.state = state;
  $(id).textContent = text;
}

function showState() {
  const isThere = socket.isConnected() && channel?.state === "joined";
  const state = isThere ? "online" : socket.isConnected() ? "joining" : "reconnecting";
  say("state", state, state);
}

function problem(text) {
  $("problem").hidden = !text;
  $("problem").textContent = text;
}

function showPeople() {
  const names = presence.list((name) => name).sort((one, other) => one.localeCompare(other));
  const count = `${names.length} ${names.length === 1 ? "user" : "users"}`;
  $("online").textContent = names.length ? `Online: ${names.join(", ")} (${count})` : "Online: nobody yet";
  for (const name of typists.keys()) if (!names.includes(name)) stopsTyping(name);
  $("people").replaceChildren(
    ...names.map((one) => {
      const item = document.createElement("li");
      const label = document.createElement("span");
      label.textContent = one;
      item.append(face(one), label);
      if (one === name) {
        const self = document.createElement("span");
        self.className = "self";
        self.textContent = "you";
        item.append(self);
      }
      return item;
    }),
  );
}

function types(name) {
  clearTimeout(typists.get(name));
  typists.set(name, setTimeout(() => stopsTyping(name), TYPING_LASTS_MS));
  showTyping();
}

function stopsTyping(name) {
  clearTimeout(typists.get(name));
  if (typists.delete(name)) showTyping();
}

function showTyping() {
  const names = [...typists.keys()];
  const some = names.slice(0, 3).join(", ");
  $("typing").textContent =
    names.length === 0 ? "" : names.length === 1 ? `${some} is typing…` : names.length <= 3 ? `${some} are typing…` : "Several people are typing…";
}

const isAtEnd = () => $("scroll").scrollHeight - $("scroll").scrollTop - $("scroll").clientHeight < 80;

function toTheEnd() {
  $("scroll").scrollTop = $("scroll").scrollHeight;
  $("newer").hidden = true;
}

function nonce() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function push(message) {
  if (!socket?.isConnected() || channel?.state !== "joined") return; // it is sent with the next history
  channel
    .push("new_msg", { text: message.text, nonce: message.nonce })
    .receive("ok", () => problem(""))
    .receive("error", (refusal) => {
      messages.forget(message.nonce);
      if (!$("text").value) $("text").value = message.text;
      problem(refusal.message ?? (refusal.reason === "rate limited" ? "Not so fast. Try again in a moment." : refusal.reason));
    });
}

function submit() {
  const text = $("text").value.trim();
  if (!text) return;
  const message = { nonce: nonce(), name, text, at: Date.now() };
  problem("");
  $("text").value = "";
  grow();
  typing(false);
  messages.send(message);
  $("empty").hidden = true;
  toTheEnd();
  push(message);
}

function typing(typing) {
  const now = Date.now();
  if (!socket?.isConnected() || channel?.state !== "joined") return;
  if (typing ? now - lastTyping < TYPING_EVERY_MS : lastTyping === 0) return;
  lastTyping = typing ? now : 0;
  channel.push("typing", { typing });
}

function grow() {
  $("text").style.height = "auto";
  $("text").style.height = `${$("text").scrollHeight + 2}px`;
}

// Without the client there is no room: says so in one line, and goes on when it is here.
async function waitForClient() {
  const notice = $("client-notice") ?? $("problem");
  notice.hidden = false;
  say("state", "reconnecting", "waiting");
  for (;;) {
    const answer = await fetch("/assets/phoenix.mjs", { cache: "no-store" }).catch(() => null);
    if (answer?.ok) {
      location.reload();
      await new Promise(() => {});
    }
    if (answer) notice.textContent = await answer.text();
    await pause(2000);
  }
}
