// Send a request when a slider moves. Only one request runs at a time, and the next request has the newest values.

import { ask, percent } from "./ask.js";

const form = document.getElementById("form");
const probability = document.getElementById("probability");

let busy = false;
let again = false;

function showValues() {
  for (const output of form.querySelectorAll("output")) {
    const value = Number(form.elements[output.htmlFor.value].value);
    output.textContent = `${value.toLocaleString("en", { maximumFractionDigits: 2 })} ${output.dataset.unit}`;
  }
}

async function predict() {
  showValues();
  again = busy;
  if (busy) return;
  busy = true;
  const row = Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, Number(value)]));
  const answer = await ask(row);
  if (answer) {
    const share = answer[probability.dataset.name];
    probability.textContent = percent(share);
    document.getElementById("meter").value = share;
  }
  busy = false;
  if (again) predict();
}

form.addEventListener("input", predict);
form.addEventListener("submit", (event) => event.preventDefault());
predict();
