// The page of the playground: an editor for the program, a request, and a web worker with Python that runs the program.
const LIMIT = 10_000; // ms for one run
const SITE = new URL("./", document.baseURI).href;
const find = (id) => document.getElementById(id);
const result = find("result"), status = find("status"), output = find("output"), progress = find("progress");
let manifest, examples, editor, chosen = null;

// Python

let python = null;

function startPython() {
  const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  const started = { worker, calls: new Map() };
  started.ready = new Promise((resolve, reject) => {
    worker.addEventListener("message", ({ data }) => {
      if (data.type === "ready") resolve();
      if (data.type === "failed") reject(new Error(data.message));
      if (data.type === "result") started.calls.get(data.id)?.(data.report);
      if (python === started) showLoading(data);
    });
    worker.addEventListener("error", (event) => reject(new Error(event.message || "The worker cannot be loaded.")));
  });
  started.ready.catch(() => {});
  return started;
}

let loading = "Fetching Python";

function showLoading(message) {
  if (message.type === "loading") loading = message.what;
  if (message.type === "received") showAmount(message.bytes);
  if (result.dataset.state !== "loading") return;
  if (message.type === "loading") say(`${loading} …`);
  if (message.type === "ready" && !waiting) {
    setState("ready");
    say("Ready. Press Run.");
  }
}

/** How much has come. Not in the status: a screen reader would read each piece aloud. */
function showAmount(bytes) {
  progress.value = Math.min(99, (100 * bytes) / manifest.fetched);
  find("amount").textContent = `${(bytes / 1e6).toFixed(1)} of ${(manifest.fetched / 1e6).toFixed(1)} MB`;
}

let calls = 0, waiting = false;

/** Call a function of runner.py. Rejects with a TimeoutError if it does not end. */
async function call(name, values) {
  await python.ready;
  setState("running");
  say("Running …");
  const id = ++calls, used = python;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      used.worker.terminate();
      python = startPython();
      reject(new DOMException("", "TimeoutError"));
    }, LIMIT);
    used.calls.set(id, (report) => {
      clearTimeout(timer);
      used.calls.delete(id);
      resolve(report);
    });
    used.worker.postMessage({ id, call: name, values });
  });
}

// The result

function setState(state) {
  result.dataset.state = state;
  progress.parentElement.hidden = state !== "loading";
  result.setAttribute("aria-busy", String(state === "loading" || state === "running"));
}

function say(text) {
  status.textContent = text;
}

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

async function ask(name, values, show) {
  if (waiting) return;
  waiting = true;
  find("run").setAttribute("aria-disabled", "true");
  setState("loading");
  say(`${loading} …`);
  output.replaceChildren();
  editor.mark([]);
  try {
    const report = await call(name, values);
    show(report);
    setState(report.state);
    if (name === "run_json") bringIntoView();
  } catch (error) {
    showStopped(error);
  } finally {
    waiting = false;
    find("run").removeAttribute("aria-disabled");
  }
}

/** On a phone the result is far below the button. */
function bringIntoView() {
  if (result.getBoundingClientRect().top > 0.8 * innerHeight) result.scrollIntoView();
}

/** A text in which `...` is code. */
function withCode(text) {
  return text.split("`").map((part, i) => (i % 2 ? element("code", {}, part) : part));
}

function showStopped(error) {
  const isLimit = error.name === "TimeoutError";
  say(isLimit ? `Stopped after ${LIMIT / 1000} seconds.` : "Python could not be loaded.");
  const text = isLimit
    ? `The program did not end within ${LIMIT / 1000} seconds, so it was stopped. Look for a loop that never ends.`
    : `${error.message}`;
  output.replaceChildren(element("p", { class: "failure", role: "alert" }, text));
  setState("error");
}

function run() {
  rememberInAddress();
  ask("run_json", [editor.text, find("request").value, find("signals").checked, SITE], showReport);
}

function showReport(report) {
  const parts = report.failures.map(failure);
  if (report.verdict) parts.push(verdict(report));
  if (report.sides?.some((side) => side.answers.length)) parts.push(responses(report));
  if (report.sides) parts.push(...printed(report.sides));
  if (report.calls?.length) parts.push(calledBy(report.calls));
  if (report.page) parts.push(steps(report.page), eventList(report));
  output.replaceChildren(...parts);
  editor.mark(report.failures.filter((one) => one.line).map((one) => one.line));
  const statusLine = report.sides?.at(-1)?.answers.at(-1)?.split("\n")[0] ?? "";
  say(report.state === "error" ? "The program failed." : `Done. ${report.verdict ?? ""} ${statusLine}`.trim());
}

function failure(one) {
  const where = one.line ? `Line ${one.line}: ` : one.where === "request" ? "Request: " : "";
  const only = one.sides?.length === 1 ? ` (only on ${one.sides[0]})` : "";
  const box = element("div", { class: "failure", role: "alert" }, element("p", {}, `${where}${one.message}${only}`));
  if (one.trace) box.append(element("pre", { tabindex: "0" }, one.trace));
  return box;
}

function verdict(report) {
  return element("p", { class: report.equal ? "verdict" : "verdict different" },
    `${report.sides.map((side) => side.label).join(" and ")}: ${report.verdict}`);
}

/** Both sides' texts under one heading, once if they are the same. */
function compared(title, sides, texts) {
  const [left, right] = texts;
  const boxes = left === right ? [["", left]] : sides.map((side, i) => [side.label, texts[i]]);
  return element("details", { open: "" }, element("summary", {}, title), ...boxes.flatMap(([label, text]) => [
    ...(label ? [element("h3", {}, label)] : []), element("pre", { tabindex: "0" }, text),
  ]));
}

function responses(report) {
  const made = compared("Response", report.sides, report.sides.map((side) => side.answers.join("\n\n")));
  made.querySelector("summary").after(element("pre", { class: "curl", tabindex: "0" }, `$ ${report.request}`));
  return made;
}

function printed(sides) {
  return sides.some((side) => side.output) ? [compared("Printed", sides, sides.map((side) => side.output))] : [];
}

function calledBy(lines) {
  return element("details", { open: "" }, element("summary", {}, "Calls"),
    element("p", { class: "hint" }, "This program is on neither framework: these are its own calls, and those into a library."),
    element("pre", { tabindex: "0" }, lines.join("\n")));
}

let address = "";

function steps(page) {
  URL.revokeObjectURL(address);
  address = URL.createObjectURL(new Blob([page], { type: "text/html" }));
  return element("div", { class: "steps" },
    element("iframe", { src: address, title: "Step through the request", id: "steps-frame" }),
    element("p", {}, element("a", { href: address, target: "_blank" }, "Open the steps in a tab of their own")));
}

function eventList(report) {
  const rows = report.events.map((row) => element("tr", row.equal ? {} : { class: "different" },
    ...row.sides.map((cell) => element("td", { style: `--depth: ${row.depth}` }, ...(cell
      ? [element("span", {}, cell.text), element("small", {}, ` ${cell.place}`)] : [])))));
  const heads = report.sides.map((side) => element("th", { scope: "col" }, side.label));
  return element("details", { id: "events" }, element("summary", {}, `All ${rows.length} events as a list`),
    element("div", { class: "wide", tabindex: "0" }, element("table", {}, element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...rows))));
}

// Exercises

function showExercises(example) {
  const tasks = example?.exercises ?? [];
  find("exercises").hidden = tasks.length === 0;
  find("exercises").replaceChildren(...(tasks.length ? [element("h2", {}, "Exercises"), ...tasks.map(exercise)] : []));
}

function exercise(task) {
  if (!task.here) {
    return element("div", { class: "exercise" }, element("p", {}, element("b", {}, `${task.letter}) `), ...withCode(task.task)),
      element("p", { class: "hint" }, `This one needs a model, which the browser has not. On your machine: wsgi-core learn check ${task.name[0]}`));
  }
  const button = element("button", { type: "button" }, "Check");
  const answer = element("div", { class: "answer", role: "status" });
  button.addEventListener("click", () => check(task, answer));
  return element("div", { class: "exercise", "data-name": task.name },
    element("p", {}, element("b", {}, `${task.letter}) `), ...withCode(task.task)), button, answer);
}

const failures = new Map();

function check(task, answer) {
  const seen = failures.get(task.name) ?? 0;
  answer.textContent = "";
  ask("check_json", [task.name, editor.text, seen], (report) => {
    failures.set(task.name, report.solved ? 0 : seen + 1);
    answer.className = report.solved ? "answer solved" : "answer";
    answer.replaceChildren(...report.lines.map((line) => element("p", {}, line)));
    say(report.solved ? `Exercise ${task.name} is solved.` : `Exercise ${task.name} is not solved yet.`);
    editor.mark(report.line ? [report.line] : []);
  });
}

// Examples and links

function fillExamples() {
  const select = find("example");
  select.append(element("option", { value: "" }, "your own"));
  for (const { title, items } of examples) {
    const group = element("optgroup", { label: title });
    for (const item of items) group.append(element("option", { value: item.name }, item.title));
    select.append(group);
  }
}

function exampleNamed(name) {
  return examples.flatMap((group) => group.items).find((item) => item.name === name);
}

function choose(example) {
  chosen = null; // here, the page changes the text, not the user
  editor.text = example.program;
  find("request").value = example.request;
  find("signals").checked = example.signals ?? false;
  find("example").value = example.name ?? "";
  chosen = example;
  showExercises(example);
  editor.mark([]);
}

async function packed(text) {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

async function unpacked(text) {
  const bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"))).text();
}

async function currentFragment() {
  const now = { program: editor.text, request: find("request").value, signals: find("signals").checked };
  const isUnchanged = chosen && ["program", "request"].every((key) => now[key] === chosen[key]) && now.signals === (chosen.signals ?? false);
  if (isUnchanged && chosen.name) return `example=${chosen.name}`;
  return `program=${await packed(JSON.stringify({ ...now, name: chosen?.name }))}`;
}

async function rememberInAddress() {
  history.replaceState(null, "", `#${await currentFragment()}`);
}

async function share() {
  await rememberInAddress();
  try {
    await navigator.clipboard.writeText(location.href);
    say("The link is in the clipboard.");
  } catch {
    say("The link is in the address bar.");
  }
}

/** What the address asks for; the first example if it asks for nothing that is there. */
async function asked() {
  const [kind, value] = [location.hash.slice(1).split("=", 1)[0], location.hash.replace(/^#\w*=/, "")];
  if (kind === "example" && exampleNamed(decodeURIComponent(value))) return exampleNamed(decodeURIComponent(value));
  if (kind === "program") {
    try {
      const found = JSON.parse(await unpacked(value));
      const known = exampleNamed(found.name);
      return { ...known, request: "GET /", signals: false, ...found, program: String(found.program) };
    } catch {
      say("The link is damaged: its program cannot be read.");
    }
  }
  return examples[0].items[0];
}

// The beginning

/** `program` has a value, as a text field has: for scripts that fill in the page. */
function giveValue(content) {
  Object.defineProperty(content, "value", { get: () => editor.text, set: (text) => { editor.text = String(text); } });
}

function listen() {
  find("form").addEventListener("submit", (event) => { event.preventDefault(); run(); });
  addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    run();
  }, true);
  find("share").addEventListener("click", share);
  find("example").addEventListener("change", (event) => {
    const example = exampleNamed(event.target.value);
    if (example) { choose(example); rememberInAddress(); }
  });
  addEventListener("hashchange", async () => choose(await asked()));
}

async function begin() {
  const [made, list, ways] = await Promise.all([
    import("./editor.js"), fetch("playground/manifest.json").then((r) => r.json()), fetch("playground/examples.json").then((r) => r.json()),
  ]);
  [manifest, examples] = [list, ways];
  find("notices").href = "playground/notices.txt";
  python = startPython();
  editor = made.createEditor(find("editor"), {
    id: "program", "aria-labelledby": "program-label", "aria-describedby": "program-hint", "aria-multiline": "true",
  }, () => { if (chosen) find("example").value = ""; });
  giveValue(find("program"));
  fillExamples();
  choose(await asked());
  listen();
  python.ready.then(keepForLater, (error) => { if (!waiting) showStopped(error); });
}

function keepForLater() {
  navigator.serviceWorker?.register("playground-offline.js").catch(() => {});
}

setState("loading");
begin().catch(() => {
  setState("error");
  say("The playground is not part of this copy of the site, or the page was opened as a file.");
  output.replaceChildren(element("p", { class: "failure" },
    "Build it with python -m tests.docs.playground, serve the site with python -m http.server, and open it from there."));
});
