// Type a sentence: asked when the button is pressed, and a moment after the last key.

import { ask, percent } from "./ask.js";

const form = document.getElementById("form");
const text = document.getElementById("text");
const PAUSE = 400; // ms without a key

let timer;

async function classify() {
  clearTimeout(timer);
  if (!text.value) return;
  const answer = await ask({ text: text.value });
  if (!answer) return;
  document.getElementById("prediction").textContent = answer.prediction;
  document.getElementById("confidence").value = answer.confidence_score;
  document.getElementById("confidence-text").textContent = `${percent(answer.confidence_score)} sure, says ${answer.backend}`;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  classify();
});

text.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(classify, PAUSE);
});

for (const example of document.querySelectorAll(".examples button")) {
  example.addEventListener("click", () => {
    text.value = example.textContent;
    classify();
  });
}

classify();
