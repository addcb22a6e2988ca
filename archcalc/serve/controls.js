"use strict";
// The controls: each shows what is set, and sets what the reader chooses.

function fill(choices) {
  for (const select of all("select[data-choices]")) {
    const words = choices[select.dataset.choices].map((word) => new Option(word, word));
    select.replaceChildren(...(select.dataset.none ? [new Option(select.dataset.none, "")] : []), ...words);
  }
  $("#networks").replaceChildren(...choices.networks.map((name) => new Option(name)));
  $("#columns div").replaceChildren(...choices.columns.map((key) => {
    const label = document.createElement("label"), box = document.createElement("input");
    Object.assign(box, { type: "checkbox", value: key });
    label.append(box, ` ${key}`);
    return label;
  }));
  $("#columns div").addEventListener("change", () => {
    const ticked = all("#columns input:checked").map((box) => box.value);
    set({ columns: ticked.join() === choices.lecture.join() ? "" : ticked.join() });
  });
  columns = () => {
    const keys = state.view.columns ? state.view.columns.split(",") : choices.lecture;
    for (const box of all("#columns input")) box.checked = keys.includes(box.value);
  };
}

let columns = () => {};

// Make every control show what is set.
function controls() {
  for (const field of all("[data-field]")) {
    const value = state.view[field.dataset.field];
    if (field.type === "checkbox") field.checked = value;
    else if (field !== document.activeElement) field.value = value === null ? "" : value;
  }
  columns();
  for (const tab of all("[role=tab]")) {
    const selected = tab.dataset.panel === state.view.panel;
    tab.setAttribute("aria-selected", selected);
    tab.tabIndex = selected ? 0 : -1;
  }
  $("#shown").setAttribute("aria-labelledby", `tab-${state.view.panel}`);
  for (const part of all(".controls[data-of]")) part.hidden = part.dataset.of !== state.view.panel;
  for (const part of all("[data-style]")) part.hidden = part.dataset.style !== state.view.style;
  for (const part of all("[data-exercise]")) part.hidden = part.dataset.exercise !== state.view.exercise;
}

for (const field of all("[data-field]")) {
  field.addEventListener(field.tagName === "SELECT" ? "change" : "input", () => {
    const name = field.dataset.field;
    if (field.type === "checkbox") set({ [name]: field.checked });
    else if (field.type !== "number") set({ [name]: field.value });
    else if (field.checkValidity() && (field.value !== "" || START[name] === null)) {
      set({ [name]: field.value === "" ? null : Number(field.value) });
    }
  });
}
for (const tab of all("[role=tab]")) {
  tab.addEventListener("click", () => set({ panel: tab.dataset.panel }));
  tab.addEventListener("keydown", (event) => {
    const tabs = all("[role=tab]"), at = tabs.indexOf(tab), last = tabs.length - 1;
    const place = { ArrowRight: at < last ? at + 1 : 0, ArrowLeft: at > 0 ? at - 1 : last, Home: 0, End: last }[event.key];
    if (place === undefined) return;
    event.preventDefault();
    const next = tabs[place];
    next.focus();
    set({ panel: next.dataset.panel });
  });
}
for (const button of all("[data-zoom]")) {
  button.addEventListener("click", () => {
    const factor = Number(button.dataset.zoom);
    state.scale = factor ? state.scale * factor : 1;
    if (!factor) state.whole = !state.whole;
    zoom($("#shown"), state.scale, state.whole);
  });
}
for (const part of all("#parts button")) {
  part.addEventListener("click", () => {
    document.body.dataset.part = part.dataset.part;
    for (const each of all("#parts button")) each.setAttribute("aria-pressed", each === part);
    editor.ace.resize();
    zoom($("#shown"), state.scale, state.whole);
  });
}

function variants(names) {
  const select = $("#variant");
  $("#variants").hidden = !names.length;
  if ([...select.options].slice(1).map((option) => option.value).join() !== names.join()) {
    select.replaceChildren(new Option("–", ""), ...names.map((name) => new Option(name, name)));
  }
  select.value = state.view.variant;
}
$("#variant").addEventListener("change", () => set({ variant: $("#variant").value, settings: {}, sizes: {} }));

// ---- sliders

function sliders(found) {
  const area = $("#sliders div");
  const keys = found.map((each) => `${each.part}.${each.key}`);
  $("#sliders").hidden = !found.length;
  if (area.dataset.keys !== keys.join()) {
    area.dataset.keys = keys.join();
    area.replaceChildren(...found.map((each, place) => slider(each, `slider-${place}`)));
  }
  found.forEach((each, place) => {
    const [, range, number, reset] = area.children[place].children;
    const given = state.view[each.part][each.key];
    const value = given === undefined ? each.value : Number(given);
    if (range !== document.activeElement) range.max = Math.max(each.most, value);
    for (const input of [range, number]) if (input !== document.activeElement) input.value = value;
    reset.hidden = given === undefined;
  });
}

function slider({ part, key, label }, id) {
  const line = document.createElement("div"), name = document.createElement("label");
  const range = document.createElement("input"), number = document.createElement("input"), reset = document.createElement("button");
  Object.assign(name, { htmlFor: id, textContent: label });
  Object.assign(range, { type: "range", min: part === "sizes" ? 1 : 0, step: 1, id });
  Object.assign(number, { type: "number", min: 0, step: 1, ariaLabel: label });
  Object.assign(reset, { type: "button", textContent: "×", ariaLabel: `${label} as the spec has it` });
  const slid = (input, other) => input.addEventListener("input", () => {
    if (!/^[0-9]{1,7}$/.test(input.value)) return;
    other.value = input.value;
    reset.hidden = false;
    set({ [part]: { ...state.view[part], [key]: part === "sizes" ? Number(input.value) : input.value } });
  });
  slid(range, number);
  slid(number, range);
  reset.addEventListener("click", () => {
    const { [key]: gone, ...left } = state.view[part];
    set({ [part]: left });
  });
  line.append(name, range, number, reset);
  return line;
}
