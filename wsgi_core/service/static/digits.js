// Draw or upload a digit: the shades of the picture are sent to the service, which converts them for the model.

import { ask, forget, percent } from "./ask.js";

const pad = document.getElementById("pad");
const seen = document.getElementById("seen");
const digit = document.getElementById("digit");
const rows = [...document.querySelectorAll("#scores tr")];
const pen = pad.getContext("2d", { willReadFrequently: true });
const SENT_SIDE = 96; // pixels on the longer side of the picture that is sent
const WHITE = "#fff";

// The canvas has as many pixels as its area on the screen, so that lines are sharp.
pad.width = pad.height = Math.round(pad.getBoundingClientRect().width * devicePixelRatio) || pad.width;

let drawing = null; // the id of the pointer that draws
let last = null; // the last position of this pointer

function clear() {
  forget();
  pen.fillStyle = WHITE;
  pen.fillRect(0, 0, pad.width, pad.height);
  digit.textContent = "?";
  showScores(Array(10).fill(0), null);
  seen.getContext("2d").clearRect(0, 0, seen.width, seen.height);
}

function place(event) {
  const box = pad.getBoundingClientRect();
  return [((event.clientX - box.left) * pad.width) / box.width, ((event.clientY - box.top) * pad.height) / box.height];
}

pad.addEventListener("pointerdown", (event) => {
  if (drawing !== null || event.button !== 0) return;
  event.preventDefault();
  drawing = event.pointerId;
  pad.setPointerCapture(drawing);
  Object.assign(pen, { lineWidth: pad.width / 14, lineCap: "round", lineJoin: "round", strokeStyle: "#1b1f24" });
  last = place(event);
  lineTo(last); // draws a dot, in case the pointer does not move
});

/** Draw a line from the last position. A line that is drawn twice would have rough edges. */
function lineTo(point) {
  pen.beginPath();
  pen.moveTo(...last);
  pen.lineTo(...point);
  pen.stroke();
  last = point;
}

pad.addEventListener("pointermove", (event) => {
  if (event.pointerId !== drawing) return;
  const steps = event.getCoalescedEvents?.() ?? [];
  for (const step of steps.length ? steps : [event]) lineTo(place(step));
});

for (const end of ["pointerup", "pointercancel"]) {
  pad.addEventListener(end, (event) => {
    if (event.pointerId !== drawing) return;
    drawing = null;
    recognise(pad);
  });
}

document.getElementById("clear").addEventListener("click", clear);

document.getElementById("upload").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  event.target.value = ""; // the same file may be chosen again
  if (!file) return;
  clear();
  let picture;
  try {
    picture = await createImageBitmap(file);
  } catch {
    digit.textContent = "?";
    document.getElementById("problem").textContent = "This file is not a picture that the browser can show.";
    document.getElementById("problem").hidden = false;
    return;
  }
  const scale = Math.min(pad.width / picture.width, pad.height / picture.height);
  const [width, height] = [picture.width * scale, picture.height * scale];
  pen.drawImage(picture, (pad.width - width) / 2, (pad.height - height) / 2, width, height);
  await recognise(picture); // not the pad: its margins would count as paper or ink
});

/** Return the picture's shades from 0 to 255, row by row. The longer side has `SENT_SIDE` pixels. */
function shades(source) {
  const scale = SENT_SIDE / Math.max(source.width, source.height);
  const [width, height] = [source.width, source.height].map((side) => Math.max(1, Math.round(side * scale)));
  const small = Object.assign(document.createElement("canvas"), { width, height }).getContext("2d");
  small.fillStyle = WHITE; // shows through transparent pixels
  small.fillRect(0, 0, width, height);
  small.imageSmoothingQuality = "high";
  small.drawImage(source, 0, 0, width, height);
  const { data } = small.getImageData(0, 0, width, height);
  const shade = (dot) => Math.round(0.299 * data[dot] + 0.587 * data[dot + 1] + 0.114 * data[dot + 2]);
  return Array.from({ length: height }, (_, y) => Array.from({ length: width }, (_, x) => shade(4 * (y * width + x))));
}

async function recognise(source) {
  const answer = await ask({ drawing: shades(source) });
  if (!answer) return;
  digit.textContent = answer.sure ? answer.digit : "not sure";
  digit.classList.toggle("unsure", !answer.sure);
  showScores(answer.probabilities, answer.digit);
  showPixels(answer.pixels);
}

function showScores(scores, best) {
  rows.forEach((row, index) => {
    row.classList.toggle("best", index === best);
    row.querySelector("meter").value = scores[index];
    row.querySelector(".number").textContent = best === null ? "" : percent(scores[index]);
  });
}

function showPixels(pixels) {
  const image = new ImageData(8, 8);
  pixels.forEach((ink, index) => image.data.set([27, 31, 36, 255].map((to, part) => (part < 3 ? 255 - ink * (255 - to) : to)), 4 * index));
  seen.getContext("2d").putImageData(image, 0, 0);
}

clear();
