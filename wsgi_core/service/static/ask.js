// Code shared by the demos: send a request, show an error, and show how long each part took.

const demo = document.querySelector(".demo");
const problem = document.getElementById("problem");
const WORDS = { parse: "Read the JSON", validate: "Check the input", infer: "Run the model", encode: "Write the response" };
const MAX_SHOWN = 1500;

let last = 0;

/** Send `payload` as JSON and return the answer. Return null if an error was shown, or if a newer request was sent. */
export async function ask(payload) {
  const body = JSON.stringify(payload);
  const mine = ++last;
  const started = performance.now();
  let response, answer;
  try {
    response = await fetch(demo.dataset.address, { method: "POST", headers: { "Content-Type": "application/json" }, body });
    answer = await response.json();
  } catch (error) {
    if (mine === last) show("The service cannot be reached: " + error.message);
    return null;
  }
  if (mine !== last) return null;
  const whole = performance.now() - started;
  show(response.ok ? "" : saidBy(answer) || `Status ${response.status}`);
  showTexts(body, answer);
  if (!response.ok) return null;
  showTimes(parts(response.headers), whole);
  return answer;
}

export function percent(share) {
  return (100 * share).toFixed(1) + " %";
}

/** Ignore the response to the current request, if there is one. */
export function forget() {
  last++;
  show("");
}

function show(text) {
  problem.textContent = text;
  problem.hidden = !text;
}

function saidBy(answer) {
  return answer.error || (answer.errors || []).map((each) => `${each.field} ${each.message}`).join("; ");
}

function showTexts(body, answer) {
  const cut = (text) => (text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)} … (${text.length} characters)` : text);
  document.getElementById("sent").textContent = `POST ${demo.dataset.address}\n\n${cut(body)}`;
  document.getElementById("received").textContent = cut(JSON.stringify(answer, null, 2));
}

/** Return [[name, milliseconds], ...]: the phases in Server-Timing, then the remaining time of the service. */
function parts(headers) {
  const timed = (headers.get("Server-Timing") || "").split(",").map((entry) => {
    const [name, ...rest] = entry.trim().split(";");
    const duration = rest.map((each) => each.trim()).find((each) => each.startsWith("dur="));
    return [name, duration ? Number(duration.slice(4)) : NaN];
  });
  const inside = timed.filter(([name, ms]) => name in WORDS && ms >= 0).map(([name, ms]) => [WORDS[name], ms]);
  const service = Number(headers.get("X-Response-Time-ms") || 0);
  const rest = service - inside.reduce((sum, [, ms]) => sum + ms, 0);
  if (service) inside.push([inside.length ? "The rest of the service" : "The service", Math.max(0, rest)]);
  return inside;
}

/** Show the times. The bar shows only the time of the service, because the network and the browser take far longer. */
function showTimes(found, whole) {
  const rows = found.map(([name, ms], index) => row(name, ms, colour(index, found.length)));
  const service = found.reduce((sum, [, ms]) => sum + ms, 0);
  const sums = [row("The service, total", service, ""), row("With network, server and browser", whole, "")];
  sums[0].className = "sum";
  document.querySelector("#times tbody").replaceChildren(...rows, ...sums);
  document.getElementById("bar").replaceChildren(
    ...found.map(([, ms], index) => {
      const part = document.createElement("span");
      part.className = colour(index, found.length);
      part.style.flexGrow = Math.max(ms, 1e-6);
      return part;
    }),
  );
}

/** Return the CSS class of a part. The last part, the rest of the service, has the palest colour. */
function colour(index, count) {
  return "part-" + (index < count - 1 ? index + 1 : 6);
}

function row(name, ms, part) {
  const line = document.createElement("tr");
  const what = line.insertCell();
  if (part) {
    const dot = what.appendChild(document.createElement("span"));
    dot.className = "dot " + part;
  }
  what.append(name);
  const time = line.insertCell();
  time.className = "number";
  time.textContent = ms < 1 ? `${(ms * 1000).toFixed(0)} µs` : `${ms.toFixed(ms < 10 ? 2 : 1)} ms`;
  return line;
}
