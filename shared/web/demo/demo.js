// The demo page's script: one conversation over POST /v1/chat, streamed, with a
// visitor's token as a company's own page would have it. Text from the server is only
// ever set as text.
const $ = (id) => document.getElementById(id);
const key = location.hash.slice(1); // a publishable one
const visitor = "switchboard-visitor:" + location.pathname;
let pass = null; // { token, assistant, until }
const about = await (await fetch(location.pathname + "/about.json")).json();
let conversation = null;

document.title = about.name + ": try the assistant";
document.documentElement.lang = about.locale;
document.documentElement.style.setProperty("--brand", about.color || "#0b5fff");
$("name").textContent = about.name;
for (const a of about.assistants) $("assistant").append(new Option(a.name, a.id));
if (about.assistants.some((a) => a.id === "website")) $("assistant").value = "website";
if (!key) {
  $("status").textContent = "There is no key in this page's address. Open the address that the server printed when it started.";
  $("send").disabled = true;
}

function add(kind, text) {
  const div = document.createElement("div");
  div.className = "turn " + kind;
  div.textContent = text;
  $("log").append(div);
  div.scrollIntoView({ block: "end" });
  return div;
}

function fresh() {
  conversation = null;
  const chosen = about.assistants.find((a) => a.id === $("assistant").value);
  $("log").replaceChildren();
  if (chosen.greeting) add("assistant", chosen.greeting);
  $("suggestions").replaceChildren(...chosen.suggestions.map((text) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    return button;
  }));
  $("message").focus();
}

// events yields {name, data} of a server-sent event stream.
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const event = { name: "message", data: "" };
      for (const line of block.split("\n")) {
        if (line.startsWith("event: ")) event.name = line.slice(7);
        if (line.startsWith("data: ")) event.data += line.slice(6);
      }
      if (event.data) yield { name: event.name, data: JSON.parse(event.data) };
    }
  }
}

function sources(turn, list) {
  if (!list.length) return;
  const ol = document.createElement("ul");
  ol.className = "sources";
  for (const c of list) {
    const li = document.createElement("li");
    const label = `[${c.index}] ${c.title}${c.heading ? " > " + c.heading : ""}`;
    if (/^https:\/\//.test(c.url || "")) {
      const a = document.createElement("a");
      a.href = c.url;
      a.rel = "noopener noreferrer";
      a.textContent = label;
      li.append(a);
    } else {
      li.textContent = label;
    }
    ol.append(li);
  }
  turn.append(ol);
}

// token returns a token for the assistant that holds for a minute at least.
async function token(assistant) {
  if (pass && pass.assistant === assistant && pass.until > Date.now() + 60_000) return pass.token;
  const known = localStorage.getItem(visitor);
  const res = await fetch("/v1/widget/token", {
    method: "POST",
    headers: { Authorization: "Bearer " + key, "Content-Type": "application/json" },
    body: JSON.stringify({ assistant, ...(known && { visitor_id: known }) }),
  });
  const given = await res.json();
  if (!res.ok) throw new Error(given.detail);
  localStorage.setItem(visitor, given.visitor_id);
  pass = { token: given.token, assistant, until: Date.parse(given.expires_at) };
  return pass.token;
}

async function ask(message) {
  add("user", message);
  $("suggestions").replaceChildren();
  $("send").disabled = true;
  $("status").textContent = "Answering…";
  const turn = add("assistant", "");
  const text = document.createTextNode("");
  turn.append(text);
  let ended = false;
  try {
    const assistant = $("assistant").value;
    const res = await fetch("/v1/chat", {
      method: "POST",
      headers: { Authorization: "Bearer " + (await token(assistant)), "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID() },
      body: JSON.stringify({ assistant, message, stream: true, ...(conversation && { conversation_id: conversation }) }),
    });
    if (!res.ok) throw new Error((await res.json()).detail);
    for await (const { name, data } of events(res.body)) {
      if (name === "start") conversation = data.conversation_id;
      if (name === "delta") text.appendData(data.text);
      if (name === "error") throw new Error(data.detail);
      if (name === "done") {
        ended = true;
        sources(turn, data.citations);
        const meta = document.createElement("div");
        meta.className = "meta";
        meta.textContent = `${data.usage.model} · ${data.usage.input_tokens} + ${data.usage.output_tokens} tokens`;
        turn.append(meta);
      }
    }
    if (!ended) throw new Error("The connection was lost before the answer was whole.");
    $("status").textContent = "";
  } catch (err) {
    turn.classList.add("failed");
    $("status").textContent = err.message;
  } finally {
    $("send").disabled = false;
    $("message").focus();
    turn.scrollIntoView({ block: "end" });
  }
}

$("form").addEventListener("submit", (e) => {
  e.preventDefault();
  const message = $("message").value.trim();
  if (!message || $("send").disabled) return;
  $("message").value = "";
  ask(message);
});
$("message").addEventListener("keydown", (e) => {
  if (e.key === "Enter" && !e.shiftKey) { e.preventDefault(); $("form").requestSubmit(); }
});
$("suggestions").addEventListener("click", (e) => {
  if (e.target.matches("button") && !$("send").disabled) ask(e.target.textContent);
});
$("assistant").addEventListener("change", fresh);
$("fresh").addEventListener("click", fresh);
fresh();
