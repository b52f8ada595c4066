// Type a sentence: a request is sent when the button is pressed, and a moment after the last key.

import { ask, forget, percent } from "./ask.js";

const form = document.getElementById("form");
const text = document.getElementById("text");
const PAUSE = 400; // ms without a key
const TELLS = 0.6; // below this confidence, the page shows no prediction; 0.5 is a guess

let timer;

async function classify() {
  clearTimeout(timer);
  if (!text.value.trim()) {
    forget();
    show("?", 0, "");
    return;
  }
  const answer = await ask({ text: text.value });
  if (!answer) return;
  const { prediction, confidence_score: confidence } = answer;
  const tells = confidence >= TELLS;
  show(tells ? prediction : "can't tell", confidence, `${percent(confidence)} ${tells ? "sure" : prediction}`);
}

function show(verdict, confidence, words) {
  document.getElementById("prediction").textContent = verdict;
  document.getElementById("confidence").value = confidence;
  document.getElementById("confidence-text").textContent = words;
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
