"use strict";
// The page: what the reader sets goes to the server with every change, and its answers are shown.

const START = {
  variant: "", settings: {}, sizes: {}, batch: 1, dtype: "float32", convention: "lecture", columns: "", depth: null,
  every_layer: false, exact: false, panel: "drawing", layer: "", draw_depth: null, draw_all: false, unfolded: false,
  direction: "TB", heat: "", mode: "inference", optimizer: "sgd", metric: "macs", device: "a100", other: "", lets: "", assertions: "",
  style: "graph", dark: false, exercise: "quiz", seed: 1, topic: "conv,pool,linear,rf,chain", level: "medium", asked: "",
};
const state = { view: { ...START }, kept: null, shared: false, file: null, saved: "", lines: {}, scale: 1, whole: false };
const numbers = { show: 0, complete: 0, download: 0, open: 0, save: 0, grade: 0 };
const darkness = matchMedia("(prefers-color-scheme: dark)");
const editor = new Editor($("#editor"), (text, line, column) => ask("complete", { text, line, column }));
let socket = null, quiet = false;

function ask(kind, more) {
  if (!socket || socket.readyState !== WebSocket.OPEN) return;
  socket.send(JSON.stringify({ ask: kind, number: ++numbers[kind], shared: state.shared, ...more }));
}

function show() {
  $("#file").classList.toggle("changed", state.file !== null && editor.text !== state.saved);
  state.view.dark = darkness.matches;
  ask("show", { text: editor.text, view: state.view, kept: state.kept });
}

function set(changes) {
  if ((changes.panel ?? state.view.panel) !== state.view.panel) wait($("#shown"));
  Object.assign(state.view, changes);
  controls();
  show();
}

// ---- answers

const answers = {
  start(answer) {
    state.file = answer.file;
    state.saved = answer.text;
    $("#file").textContent = answer.file || "";
    $("#save").hidden = !answer.file;
    fill(answer.choices);
    const fragment = location.hash || (answer.fragment ? `#${answer.fragment}` : "");
    if (answer.draft !== null && !fragment.startsWith("#s=")) {
      banner("Last time something was edited and not saved.", { "Take it up": () => { editor.text = answer.draft; }, "Leave it": () => {} });
    }
    quiet = true;
    editor.text = answer.text;
    quiet = false;
    state.view.variant = answer.variant;
    if (fragment.startsWith("#s=")) take(fragment.slice(3));
    else set({});
    document.body.dataset.ready = "yes";
  },

  table(answer) {
    $("#name").textContent = answer.name;
    document.title = `${answer.name} · archcalc`;
    state.lines = answer.lines;
    become($("#rows"), answer.html);
    $("#rows").classList.remove("old");
    mistakes(answer.marks);
    sliders(answer.sliders);
    variants(answer.variants);
    chosen();
  },

  mistakes(answer) {
    $("#rows").classList.add("old");
    $("#shown").classList.add("old");
    mistakes(answer.marks);
    if (answer.html) $("#status").title = "The reason is at the right.";
    if (answer.html && state.view.panel !== "drawing") panel({ panel: state.view.panel, html: answer.html });
    if (answer.html) layer("Why it does not fit", answer.html);
  },

  panel(answer) { if (answer.panel === state.view.panel) panel(answer.same ? state.drawing : answer); },

  layer(answer) {
    if (answer.layer === state.view.layer) layer(answer.layer, answer.html, answer.problem);
  },

  field(answer) {
    if (answer.layer !== state.view.layer) return;
    const image = $("#layer-field");
    image.hidden = !answer.image;
    image.src = answer.image;
    image.alt = `The part of the input that the middle of ${answer.layer} sees`;
  },

  words(answer) { if (answer.number === numbers.complete) editor.propose(answer.words); },

  file(answer) { give(answer.name, Uint8Array.from(atob(answer.content), (letter) => letter.charCodeAt(0))); },

  text(answer) {
    Object.assign(state, { shared: false, kept: state.kept });
    Object.assign(state.view, { settings: {}, sizes: {}, layer: "", variant: answer.variant });
    editor.text = answer.text;
    set({});
  },

  saved() {
    state.saved = editor.text;
    $("#file").classList.remove("changed");
    say("saved");
  },

  file_changed(answer) {
    const clean = editor.text === state.saved;
    state.saved = answer.text;
    if (clean) editor.text = answer.text;
    else banner("Another editor has saved the file.", { "Take its text": () => { editor.text = answer.text; }, "Keep mine": () => {} });
    show();
  },

  grades(answer) { if (answer.number === numbers.grade) graded($("#shown"), answer); },

  refused(answer) { say(answer.says, true); },
};

function hear(event) {
  const answer = JSON.parse(event.data);
  const newest = { table: "show", mistakes: "show", panel: "show", layer: "show", field: "show" }[answer.kind];
  if (answer.svg) state.drawing = answer;  // the server sends it once, even if it is too late for this text
  // An older table is better than none; marks and drawings of an older text would be at the wrong places.
  if (newest && answer.kind !== "table" && answer.number !== numbers[newest]) return;
  answers[answer.kind](answer);
  if (newest) document.body.dataset[answer.kind] = answer.number;
}

function panel(answer) {
  const shown = $("#shown");
  shown.classList.remove("old");
  shown.removeAttribute("aria-busy");
  shown.classList.toggle("drawing", Boolean(answer.svg));
  const tab = $(`[data-panel=budget]`);
  tab.className = answer.passed === undefined ? "" : answer.passed ? "passed" : "failed";
  if (answer.svg) {
    draw(shown, answer.svg, answer.nodes, choose);
    zoom(shown, state.scale, state.whole);
    chosen();
  } else if (answer.problem) {
    problem(shown, answer.problem);
  } else if (answer.exercise) {
    exercise(shown, answer);
  } else {
    const image = answer.image ? `<img src="${answer.image}" alt="${answer.says}">` : "";
    become(shown, image + (answer.html || ""));
  }
}

// What another tab shows must not be taken for the chosen one's.
function wait(shown) {
  shown.replaceChildren();
  shown.classList.remove("drawing", "old");
  shown.setAttribute("aria-busy", "true");
}

function problem(element, text) {
  const paragraph = document.createElement("p");
  paragraph.className = "problem";
  paragraph.textContent = text;
  element.replaceChildren(paragraph);
}

function layer(name, html, wrong) {
  $("#layer").hidden = false;
  $("#layer-name").textContent = name;
  if (wrong) problem($("#layer-steps"), wrong);
  else become($("#layer-steps"), html);
  if (name !== state.view.layer || wrong) $("#layer-field").hidden = true;
}

function mistakes(marks) {
  editor.mark(marks);
  const wrong = marks.filter((mark) => !mark.warning);
  const first = wrong[0] || marks[0];
  say(first ? `line ${first.line + 1}: ${first.says}` + (marks.length > 1 ? ` (and ${marks.length - 1} more)` : "") : "", wrong.length > 0);
}

function say(text, wrong = false) {
  $("#status").textContent = text;
  $("#status").classList.toggle("wrong", wrong);
}

function banner(text, choices) {
  const line = document.createElement("p");
  line.append(text);
  for (const [words, act] of Object.entries(choices)) {
    const button = document.createElement("button");
    button.textContent = words;
    button.addEventListener("click", () => { line.remove(); act(); });
    line.append(button);
  }
  $("#banners").append(line);
}

// ---- the chosen layer

function choose(name) {
  if (name in state.lines) editor.goTo(state.lines[name]);
  set({ layer: name });
  chosen();
  for (const element of all("#rows .chosen, #shown .chosen")) element.scrollIntoView({ block: "nearest", inline: "nearest" });
}

const rows = () => all("#rows tbody tr").filter((row) => row.querySelector("td"));

function chosen() {
  for (const row of rows()) row.classList.toggle("chosen", Boolean(state.view.layer) && row.cells[0].textContent === state.view.layer);
  for (const node of all("#shown .node")) node.classList.toggle("chosen", node.dataset.layer === state.view.layer);
}

$("#rows").addEventListener("click", (event) => {
  const row = event.target.closest("tbody tr");
  if (row && row.querySelector("td")) choose(row.cells[0].textContent);
});
$("#rows").addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const list = rows(), at = list.findIndex((row) => row.classList.contains("chosen"));
  const next = list[Math.min(Math.max(at + step, 0), list.length - 1)];
  if (!next) return;
  next.scrollIntoView({ block: "nearest" });
  choose(next.cells[0].textContent);
});
$("#close-layer").addEventListener("click", () => { $("#layer").hidden = true; set({ layer: "" }); });
editor.moved((line) => {
  const here = Object.keys(state.lines).filter((name) => state.lines[name] === line);
  for (const row of rows()) row.classList.toggle("current", here.includes(row.cells[0].textContent));
});

// ---- the server

editor.changed(() => { if (!quiet) show(); });

function connect() {
  const token = new URLSearchParams(location.search).get("token") || "";
  socket = new WebSocket(`ws://${location.host}/live?token=${encodeURIComponent(token)}`);
  socket.addEventListener("message", hear);
  socket.addEventListener("close", () => {
    say("the server has ended; the text is still here", true);
    document.body.dataset.ready = "no";
  });
}
darkness.addEventListener("change", show);
window.addEventListener("resize", () => zoom($("#shown"), state.scale, state.whole));
