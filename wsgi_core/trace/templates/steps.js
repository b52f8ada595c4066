"use strict";
(() => {
  const root = document.documentElement;
  const player = document.getElementById("player");
  const steps = [...document.querySelectorAll("#steps > li")];
  const links = [...document.querySelectorAll("nav li a")];
  const list = document.querySelector("nav details");
  const range = player.querySelector("input");
  const output = player.querySelector("output");
  const wide = matchMedia("(min-width: 62rem)");
  let now = -1;

  const button = (name) => player.querySelector(`[data-go=${name}]`);

  // Show the lines of a function. The current line is marked and scrolled to the middle.
  function fill(pane, source, line) {
    const code = document.getElementById(source).cloneNode(true);
    code.removeAttribute("id");
    for (const each of code.children) {
      each.removeAttribute("id");
      each.classList.toggle("current", each.dataset.n === line);
    }
    pane.querySelector("pre")?.remove();
    pane.append(code);
    const current = code.querySelector(".current");
    if (current) code.scrollTop = current.offsetTop - code.offsetTop - (code.clientHeight - current.clientHeight) / 2;
  }

  function show(index) {
    const next = Math.max(0, Math.min(steps.length - 1, index));
    if (next === now) return;
    steps[now]?.classList.remove("now");
    links[now]?.removeAttribute("aria-current");
    now = next;
    const step = steps[now];
    step.classList.add("now");
    for (const pane of step.querySelectorAll(".pane")) fill(pane, pane.dataset.source, pane.dataset.line);
    links[now].setAttribute("aria-current", "step");
    if (wide.matches) keepInView(links[now].parentElement);
    range.value = now + 1;
    output.value = `${now + 1} / ${steps.length}`;
    for (const name of ["first", "back"]) button(name).disabled = now === 0;
    for (const name of ["forward", "last"]) button(name).disabled = now === steps.length - 1;
    // In a frame, the browser would scroll the outer page to the step.
    if (self === top) history.replaceState(null, "", `#step-${now + 1}`);
  }

  function keepInView(item) {
    const top = item.offsetTop - list.offsetTop;
    if (top < list.scrollTop + 40 || top > list.scrollTop + list.clientHeight - 80) {
      list.scrollTop = top - list.clientHeight / 2;
    }
  }

  function difference() {
    const isDifferent = (step) => step.classList.contains("different");
    const after = steps.findIndex((step, i) => i > now && isDifferent(step));
    return after < 0 ? steps.findIndex(isDifferent) : after;
  }

  const places = {
    first: () => 0,
    back: () => now - 1,
    forward: () => now + 1,
    last: () => steps.length - 1,
    difference,
  };
  const keys = { ArrowLeft: "back", ArrowRight: "forward", Home: "first", End: "last" };

  function asked() {
    const found = /^#step-(\d+)$/.exec(location.hash);
    return found ? Number(found[1]) - 1 : 0;
  }

  player.addEventListener("click", (event) => {
    const go = event.target.closest("[data-go]");
    if (go) show(places[go.dataset.go]());
  });
  range.addEventListener("input", () => show(Number(range.value) - 1));
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey || event.target === range) return;
    const go = keys[event.key];
    if (!go) return;
    event.preventDefault();
    show(places[go]());
  });
  addEventListener("hashchange", () => show(asked()));

  document.querySelector("nav ol").addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (!link) return;
    event.preventDefault();
    show(links.indexOf(link));
    if (!wide.matches) {
      list.open = false;
      scrollTo(0, 0);
    }
  });

  // Show the code of an outer call in place of the caller's code.
  document.getElementById("steps").addEventListener("click", (event) => {
    const crumb = event.target.closest(".crumbs a");
    if (!crumb) return;
    event.preventDefault();
    fill(crumb.closest(".side").querySelector(".pane"), crumb.dataset.source, crumb.dataset.line);
  });

  // A swipe changes the step, unless the touched code scrolls sideways.
  let begin = null;
  const main = document.querySelector("main");
  main.addEventListener("touchstart", (event) => {
    const code = event.target.closest("pre");
    const scrolls = code && code.scrollWidth > code.clientWidth;
    begin = event.touches.length === 1 && !scrolls ? event.touches[0] : null;
  }, { passive: true });
  main.addEventListener("touchend", (event) => {
    if (!begin) return;
    const across = event.changedTouches[0].clientX - begin.clientX;
    const down = event.changedTouches[0].clientY - begin.clientY;
    if (Math.abs(across) > 60 && Math.abs(down) < 40) show(now + (across < 0 ? 1 : -1));
    begin = null;
  });

  root.classList.add("stepping");
  player.hidden = false;
  const fold = () => { list.open = wide.matches; };
  wide.addEventListener("change", fold);
  fold();
  show(asked());
  scrollTo(0, 0);
})();
