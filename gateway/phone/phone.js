// The phone's page: keys go to the gateway, what comes back is shown and spoken.
const at = (id) => document.getElementById(id);
const KEYS = "123456789*0#";
const KEPT = "phone";
const phone = { name: "", chosen: 0, seen: 0, world: [], state: null, trick: "", operator: null, events: null, turn: Promise.resolve(), spoken: 0 };

async function ask(path, body) {
  const how = body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const answer = await fetch(path, how || {}).catch(() => { throw new Error("The demo does not answer. Is it still running?"); });
  const told = await answer.json();
  if (told.error) throw new Error(told.error);
  return told;
}

function made(tag, text, name) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (name) element.className = name;
  return element;
}

function complain(error) {
  at("error").textContent = error ? error.message : "";
  at("error").hidden = !error;
}

function choices(select, rows) {
  select.replaceChildren(...rows.map(([value, text]) => Object.assign(made("option", text), { value })));
}

const operator = () => phone.world.find((each) => each.name === at("operator").value);
const person = () => operator().people.find((each) => each.number === at("person").value);

function offerPeople() {
  choices(at("person"), operator().people.map((each) => [each.number, each.knows ? `${each.name} ${each.number}` : each.name]));
  choices(at("language"), [["", "their own"], ...operator().languages.map((each) => [each, each])]);
}

// A phone of its own for what is chosen above; the tab remembers it, so that a reload keeps the conversation.
async function start() {
  const asked = { operator: operator().name, caller: person().number, language: at("language").value };
  complain();
  const opened = await ask("/phone/handsets", asked);
  sessionStorage.setItem(KEPT, JSON.stringify({ ...asked, name: opened.name }));
  enter(opened.name, opened.state);
}

// Of several choices made while a phone is being opened only the last one opens another.
function choose() {
  const mine = ++phone.chosen;
  at("handset").ariaBusy = "true";
  return inTurn(() => mine === phone.chosen && start()).then(() => {
    if (mine === phone.chosen) at("handset").ariaBusy = "false";
  });
}

async function resume() {
  const kept = JSON.parse(sessionStorage.getItem(KEPT) || "{}");
  if (!phone.world.some((each) => each.name === kept.operator)) return start();
  at("operator").value = kept.operator;
  offerPeople();
  at("person").value = kept.caller;
  at("language").value = kept.language;
  const state = await ask(`/phone/handsets/${kept.name}`).catch(() => null);
  return state ? enter(kept.name, state) : start();
}

// A tab that is looked at again shows what happened meanwhile.
function comeBack() {
  listen();
  if (!document.hidden) inTurn(async () => show(await ask(`/phone/handsets/${phone.name}`)));
}

function enter(name, state) {
  const { title, numbers, words, pack: served } = operator();
  Object.assign(phone, { name, operator: operator(), trick: "", seen: 0 });
  document.body.dataset.phone = name;
  at("title").textContent = title;
  at("knows").textContent = person().knows && `${person().name}: ${person().knows}.`;
  at("map-link").href = `/phone/map?operator=${phone.operator.name}`;
  at("bill-page").href = state.bill_page;
  at("thread-name").textContent = `Messages with ${numbers.sms}`;
  at("thread").dataset.hint = `Nothing yet. Text for example ${words.join(", ")}.`;
  at("save").href = `/phone/handsets/${phone.name}/dialog`;
  for (const id of ["thread", "wire", "screen"]) at(id).replaceChildren();
  at("wallet-mode").selectedIndex = 0;
  at("size").textContent = "Nothing yet.";
  at("room").hidden = true;
  hush();
  place(null);
  pack(served);
  listen();
  show(state);
}

// A tab that nobody looks at holds no connection: a browser opens six to one server.
function listen() {
  if (phone.events) phone.events.close();
  phone.events = null;
  if (document.hidden) return;
  phone.events = new EventSource(`/phone/handsets/${phone.name}/events?after=${phone.seen}`);
  const on = (kind, what) => phone.events.addEventListener(kind, (event) => {
    phone.seen = Number(event.lastEventId) || phone.seen;
    what(JSON.parse(event.data));
  });
  on("exchange", exchange);
  on("message", message);
  on("text", ({ body }) => bubble(body, "", true));
  on("reply", ({ body, size }) => bubble(body, asMessage(size)));
  on("outbox", outbox);
  on("place", place);
  on("pack", pack);
  on("closed", () => phone.events.close());
}

// What is pressed while an answer is on its way waits for it: a quick thumb loses nothing.
const inTurn = (step) => (phone.turn = phone.turn.then(step).catch(complain));

async function act(verb, said) {
  const { name, trick } = phone;
  complain();
  hush();
  tricked("");
  const state = await ask(`/phone/handsets/${name}/act`, { verb, said, trick });
  show(state, ["dial", "call", ">", "silence", "text"].includes(verb));
}

function show(state, fresh) {
  phone.state = state;
  const { screen } = state;
  at("clock").textContent = state.at;
  at("dialog").textContent = state.dialog;
  at("again").textContent = `.venv/bin/dialtree dial --script ${state.file}`;
  if (screen.channel === "sms") sms(screen);
  else reading(screen, fresh);
  const calling = state.open && screen.channel === "voice";
  at("quiet").disabled = !calling;
  at("hang").disabled = at("drop").disabled = !talking();
  at("go").textContent = talking() ? "Send" : "Call";
  at("asked").textContent = calling ? "Keys to press" : talking() ? "Answer" : "Number to dial or call";
  outbox(state.outbox);
  wallet(state.wallet);
  place(state.place);
  for (const button of document.querySelectorAll("[data-spoil]"))
    button.setAttribute("aria-pressed", String(button.dataset.state === state[button.dataset.spoil]));
  document.body.dataset.turn = String(Number(document.body.dataset.turn || 0) + 1);
}

const talking = () => phone.state && phone.state.open && phone.state.screen.channel !== "sms";

function reading(screen, fresh) {
  const calling = screen.channel === "voice";
  const lines = calling ? screen.prompts : screen.text ? [[screen.text, ""]] : [];
  const shown = lines.map(([words, file]) => Object.assign(made("p", words, file && "recorded"), { dir: "auto" }));
  if (screen.transfer) shown.push(made("p", `Put through to ${screen.transfer}`, "end"));
  if (screen.ends && lines.length) shown.push(made("p", "The conversation is over.", "end"), ...doors());
  if (screen.gather) shown.push(made("p", keysWanted(screen.gather), "end"));
  at("screen").replaceChildren(...(shown.length ? shown : [idle()]));
  at("screen").scrollTop = 0;
  at("screen").lang = phone.state.place ? phone.state.place.language : "";
  if (screen.size) takes(screen.size, "on this page");
  if (calling && lines.length) at("size").textContent = `${lines.length} prompts, heard`;
  if (calling) at("room").hidden = true;
  if (fresh && calling) speak(screen.prompts);
}

// The two ways to begin on the handset itself.
function doors() {
  const { ussd, voice } = phone.operator.numbers;
  return [["dial", ussd, `Dial ${ussd}`], ["call", voice, `Call ${voice}`]].map(([verb, number, words]) => {
    const button = Object.assign(made("button", words), { type: "button" });
    button.addEventListener("click", () => inTurn(() => act(verb, number)).then(() => at("line").focus()));
    return button;
  });
}

function idle() {
  const { title, numbers } = phone.operator;
  const asleep = made("div", undefined, "idle");
  asleep.append(made("b", title), ...doors(), made("p", `or text ${numbers.sms}`));
  return asleep;
}

const keysWanted = ({ most, finish }) => `(${most} ${most === 1 ? "key" : "keys"}${finish ? `, then ${finish}` : ""})`;

function cost(size) {
  const because = size.because ? `, because of \u2068${letters(size.because)}\u2069` : "";
  const parts = size.segments === 1 ? "1 segment" : `${size.segments} segments`;
  return { told: `${size.characters} characters, ${size.alphabet}${because}`, parts };
}

const letters = (all) => (all.length > 6 ? `${all.slice(0, 6)}…` : all);

const asMessage = (size) => `${cost(size).told}, ${cost(size).parts}`;

function takes(size, where) {
  const { told, parts } = cost(size);
  at("size").textContent = `${told}: ${size.units} of ${size.most} ${where}. As SMS ${parts}.`;
  Object.assign(at("room"), { hidden: false, max: size.most, high: size.most * 0.9, value: size.units });
}

function sms(screen) {
  if (!at("screen").childElementCount) at("screen").replaceChildren(idle());
  if (screen.text) takes(screen.size, "in a reply");
}

function bubble(text, note, mine) {
  const item = made("li", undefined, mine ? "mine" : "");
  const words = made("span");
  for (const part of text.split(/(https?:\/\/\S+)/)) {
    if (/^https?:/.test(part)) words.append(Object.assign(made("a", part), { href: part, target: "_blank", rel: "noopener" }));
    else words.append(part);
  }
  words.dir = "auto";
  item.append(words);
  if (note) item.append(made("small", note));
  at("thread").append(item);
  at("thread").scrollTop = at("thread").scrollHeight;
}

function message(told) {
  const head = told.route === "email" ? `To ${told.to}. ${told.subject}\n` : "";
  bubble(head + told.body, told.size ? asMessage(told.size) : "e-mail");
}

// What is heard, one prompt after the other; whatever is done next cuts it short.
async function speak(prompts) {
  const mine = ++phone.spoken;
  if (!at("aloud").checked) return;
  for (const [words, file] of prompts) {
    if (mine !== phone.spoken) return;
    await (file ? play(file) : say(words));
  }
}

function hush() {
  phone.spoken += 1;
  if (window.speechSynthesis) window.speechSynthesis.cancel();
  at("recording").pause();
}

function play(file) {
  return new Promise((done) => {
    const heard = at("recording");
    for (const over of ["ended", "pause", "error"]) heard.addEventListener(over, done, { once: true });
    heard.src = file;
    heard.play().catch(done);
  });
}

function say(words) {
  const voice = window.speechSynthesis;
  if (!voice || !voice.getVoices().length) return null;
  return new Promise((done) => {
    const told = new SpeechSynthesisUtterance(words);
    told.lang = phone.state.place ? phone.state.place.speech : "";
    told.onend = told.onerror = done;
    voice.speak(told);
  });
}

function place(told) {
  at("here").hidden = !told;
  at("steps").textContent = "";
  if (!told) return at("place").replaceChildren("Nowhere yet: dial, call or text.");
  const stops = told.path.slice(0, -1).map((name) => [made("span", name, "stop"), "› "]);
  at("place").replaceChildren(...stops.flat(), made("b", told.screen, "stop"));
  const asked = new URLSearchParams({ operator: phone.operator.name, channel: told.channel, path: told.passed.join(" ") });
  at("here").href = `/phone/map?${asked}#${told.screen}`;
  const old = told.revision === told.newest ? "" : ` The pack has changed since: a new conversation gets ${told.newest}.`;
  at("steps").textContent = `${told.steps.length ? `By way of ${told.steps.join(", ")}. ` : ""}Revision ${told.revision}, ${told.ms} ms.${old}`;
}

// The request of a wallet covers the phone until its owner answers.
function wallet(requests) {
  at("wallet").hidden = !requests.length;
  at("wallet-asks").textContent = requests.length ? `Your wallet asks: pay ${requests[0]}?` : "";
}

function outbox(rows) {
  at("outbox").replaceChildren(...rows.map((row) => {
    const line = made("tr");
    const what = row.step ? `errand ${row.step}` : `${row.kind} by ${row.route}`;
    const state = row.reason ? `${row.state} (${row.reason})` : row.state;
    line.append(...[what, row.to, state, row.attempt].map((text) => made("td", text)));
    return line;
  }));
}

function exchange(told) {
  const item = made("li");
  const fields = Object.entries(told.fields).map(([name, value]) => `${name}=${value}`).join("  ");
  const note = told.note ? made("em", `${told.note} `) : "";
  item.append(note, made("code", `POST ${told.path}`), made("code", fields), made("code", `${told.status} in ${told.ms} ms: ${told.answer || "(empty)"}`, "answer"));
  at("wire").prepend(item);
}

function pack(told) {
  if (told.operator !== phone.operator.name) return;
  const broken = told.findings.length > 0;
  const word = broken ? `The pack on disk is broken; revision ${told.revision} stays:\n${told.findings.join("\n")}` : `Revision ${told.revision} is served`;
  at("pack").textContent = word;
  at("pack").className = broken ? "" : "good";
  at("pack").hidden = false;
}

function tricked(trick) {
  phone.trick = trick;
  for (const button of document.querySelectorAll("[data-trick]"))
    button.setAttribute("aria-pressed", String(button.dataset.trick === trick));
}

function go() {
  const typed = at("line").value;
  at("line").value = "";
  return inTurn(() => send(typed));
}

function send(typed) {
  if (talking()) return phone.state.screen.channel === "voice" ? answer(typed) : act(">", typed);
  return typed && act(typed.startsWith("*") ? "dial" : "call", typed);
}

function answer(typed) {
  if (!typed) return act("silence", "");
  const { finish } = phone.state.screen.gather || {};
  return act(">", finish && !typed.endsWith(finish) ? typed + finish : typed);
}

function press(key) {
  at("line").value += key;
  const gather = talking() && phone.state.screen.gather;
  if (!gather) return;
  const typed = at("line").value;
  if (typed.length >= gather.most || typed.endsWith(gather.finish || "none")) go();
}

function wire() {
  at("keypad").append(...[...KEYS].map((key) => {
    const button = Object.assign(made("button", key), { type: "button" });
    button.addEventListener("click", () => press(key));
    return button;
  }));
  at("operator").addEventListener("change", offerPeople);
  at("who").addEventListener("change", choose);
  at("who").addEventListener("submit", (event) => { event.preventDefault(); choose(); });
  document.addEventListener("visibilitychange", comeBack);
  at("entry").addEventListener("submit", (event) => { event.preventDefault(); go(); });
  at("quiet").addEventListener("click", () => inTurn(() => act("silence", "")));
  at("hang").addEventListener("click", () => inTurn(() => act("hang", "up")));
  at("texting").addEventListener("submit", texted);
  at("switches").addEventListener("click", switched);
  at("wallet-mode").addEventListener("change", ({ target: { value } }) => inTurn(() => act("wallet", value)));
  at("wallet").addEventListener("click", ({ target }) => target.dataset.wallet && inTurn(() => act(target.dataset.wallet, "")));
}

function texted(event) {
  event.preventDefault();
  const body = at("body").value;
  if (!body) return;
  at("body").value = "";
  inTurn(() => act("text", `${phone.operator.numbers.sms} ${body}`));
}

function switched({ target }) {
  const { trick, spoil, state, wait } = target.dataset;
  const on = target.getAttribute("aria-pressed") === "true";
  if (trick) tricked(on ? "" : trick);
  if (spoil) inTurn(() => act(spoil, on ? "up" : state));
  if (target.id === "drop") inTurn(() => act("hang", "up"));
  if (wait) inTurn(() => act("wait", wait));
}

async function begin() {
  phone.world = (await ask("/phone/world")).operators;
  choices(at("operator"), phone.world.map((each) => [each.name, `${each.title} (${each.country}) ${each.numbers.ussd}`]));
  offerPeople();
  wire();
  await resume();
}

begin().catch(complain);
