"use strict";
// The report's own script: it shows `data`, and lets a reader sort, search, choose and zoom. It fetches nothing.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const layers = data.layers;
  layers.forEach((layer, index) => { layer.index = index; });
  const named = new Map(layers.map((layer) => [layer.name, layer]));
  const at = (id) => document.getElementById(id);
  const state = {
    convention: data.conventions.findIndex((one) => one.name === data.convention),
    metric: "flops", sort: null, descending: false, chosen: null,
  };

  // -- elements

  const fill = (element, attributes, children) => {
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };
  const make = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
  const draw = (tag, attributes = {}, ...children) =>
    fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
  const replace = (element, ...children) => element.replaceChildren(...children);

  // -- numbers

  const full = (value) => value.toLocaleString("en-US");
  const scaled = (value, base, units) => {
    let power = 0;
    while (power + 1 < units.length && value >= base ** (power + 1)) power += 1;
    if (power === 0) return `${full(value)} ${units[0]}`.trim();
    const part = value / base ** power;
    const digits = part < 10 ? 2 : part < 100 ? 1 : 0;
    return `${part.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits })} ${units[power]}`;
  };
  const count = (value) => scaled(value, 1000, ["", "k", "M", "G", "T", "P"]);
  const bytes = (value) => scaled(value, 1024, ["B", "KiB", "MiB", "GiB", "TiB"]);
  const sum = (rows, value) => rows.reduce((total, row) => total + value(row), 0);
  const inference = layers.filter((layer) => !layer.auxiliary);

  const METRICS = Object.fromEntries(data.metrics.map(({ key, title, heading, in_bytes: inBytes }) => [key, {
    name: () => title.replace("{convention}", data.conventions[state.convention].name),
    bare: title.replace("{convention} ", ""),
    heading,
    of: (layer) => (Array.isArray(layer[key]) ? layer[key][state.convention] : layer[key]),
    text: inBytes ? bytes : count,
  }]));
  const field = (layer) => Math.max(...layer.rf, 0);
  const fieldText = (layer) => (layer.rf_stride.includes(null) ? "all" : layer.rf_text + (layer.rf_all ? " (all)" : ""));

  // -- the summary

  const peak = data.timeline.bytes.reduce((best, value, index, all) => (value > all[best] ? index : best), 0);
  const summarize = () => {
    const facts = [
      ["input", Object.values(data.inputs).join(", ")], ["layers", full(inference.length)],
      ["depth", full(data.depth)],
      ...Object.values(METRICS).map((metric) => [metric.name(), metric.text(sum(inference, metric.of))]),
      ["memory of the weights", bytes(sum(inference, METRICS.params.of) * data.itemsize)],
      ["peak of the activations", data.timeline.bytes.length ? bytes(data.timeline.bytes[peak]) : "–"],
      ["batch, type", `${data.batch}, ${data.dtype}`],
    ];
    replace(at("summary"), ...facts.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
    const convention = data.conventions[state.convention];
    at("says").textContent = `FLOPs: ${convention.says}. memory: ${convention.memory}.`;
  };

  // -- the table

  const COLUMNS = [
    { key: "order", name: "#", of: (layer) => layer.index, text: (layer) => String(layer.index + 1) },
    { key: "name", name: "layer", of: (layer) => layer.name, words: true },
    { key: "says", name: "operator", of: (layer) => layer.says, words: true },
    { key: "output", name: "output", of: (layer) => layer.output.split("×").reduce((product, size) => product * size, 1),
      text: (layer) => layer.output },
    ...Object.entries(METRICS).map(([key, metric]) => ({ key, name: metric.heading, of: metric.of })),
    { key: "rf", name: "receptive field", of: field, text: fieldText },
  ];
  const summed = new Set(Object.keys(METRICS));
  const cell = (column, layer) => (column.text ? column.text(layer) : column.words ? column.of(layer) : full(column.of(layer)));
  const rows = layers.map((layer, index) => {
    const row = make("tr", { tabindex: "-1", "data-layer": index });
    if (layer.auxiliary) row.classList.add("auxiliary");
    row.append(...COLUMNS.map((column) => make("td", { class: column.words ? "words" : "", "data-key": column.key })));
    return row;
  });
  const writeRows = () => layers.forEach((layer, index) => COLUMNS.forEach((column, place) => {
    const target = rows[index].children[place];
    target.textContent = cell(column, layer);
    if (column.key === "says") {
      const fills = data.fills;
      target.prepend(make("span", { class: "swatch", style: `background:${fills[layer.category] || fills.other}` }));
    }
  }));
  const shown = () => {
    const words = at("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const category = at("category").value;
    const kept = layers.filter((layer) => (!category || layer.category === category)
      && words.every((word) => `${layer.name} ${layer.says} ${layer.output}`.toLowerCase().includes(word)));
    const column = COLUMNS.find((one) => one.key === state.sort);
    if (column) {
      const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b);
      kept.sort((a, b) => (state.descending ? -1 : 1) * compare(column.of(a), column.of(b)));
    }
    return kept;
  };
  const listRows = () => {
    const kept = shown();
    const listed = kept.map((layer) => rows[layer.index]);
    replace(at("layers").tBodies[0], ...listed);
    rows.forEach((row) => { row.tabIndex = -1; });
    const first = listed.find((row) => Number(row.dataset.layer) === state.chosen) || listed[0];
    if (first) first.tabIndex = 0;
    const counted = kept.filter((layer) => !layer.auxiliary);
    replace(at("layers").tFoot, make("tr", {}, ...COLUMNS.map((column) => make("th",
      { class: column.words ? "words" : "", "data-key": column.key },
      column.key === "name" ? "total, without auxiliary layers" : summed.has(column.key) ? full(sum(counted, column.of)) : ""))));
    at("count").textContent = `${full(kept.length)} of ${full(layers.length)} layers`;
  };
  const sortBy = (key) => {
    const numbers = !COLUMNS.find((column) => column.key === key).words && key !== "order";
    state.descending = state.sort === key ? !state.descending : numbers;
    state.sort = key;
    for (const head of at("layers").tHead.querySelectorAll("th")) {
      head.setAttribute("aria-sort", head.dataset.key === key ? (state.descending ? "descending" : "ascending") : "none");
    }
    listRows();
  };
  const headings = () => replace(at("layers").tHead, make("tr", {}, ...COLUMNS.map((column) => {
    const button = make("button", { type: "button" }, column.name);
    button.addEventListener("click", () => sortBy(column.key));
    return make("th", { scope: "col", "data-key": column.key, "aria-sort": "none", class: column.words ? "words" : "" }, button);
  })));

  // -- the chosen layer

  const pairs = (entries) => make("dl", {}, ...entries.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
  const linkTo = (index) => {
    const button = make("button", { type: "button" }, layers[index].name);
    button.addEventListener("click", () => choose(index));
    return button;
  };
  const describe = (layer, others) => {
    const parts = [make("h3", {}, layer.name), make("p", {}, layer.says)];
    parts.push(pairs([
      ["input", layer.input.join(", ")], ["output", layer.output],
      ...Object.entries(layer.arguments), ...Object.entries(layer.tensors).map(([name, shape]) => [name, shape]),
      ...(layer.shares ? [["shares the weights of", layer.shares]] : []),
      ["parameters", full(layer.params)], ["multiply-adds", full(layer.macs)],
      ...data.conventions.map((one, index) => [`FLOPs, ${one.name}`, full(layer.flops[index])]),
      ["memory of the output", `${full(METRICS.memory.of(layer))} B`],
      ["read, written", `${bytes(layer.bytes_read)}, ${bytes(layer.bytes_written)}`],
      ["receptive field", fieldText(layer)], ["its stride", layer.rf_stride.map((step) => (step === null ? "–" : step)).join(", ")],
    ]));
    for (const derivation of layer.derivations.map((index) => data.derivations[index])) {
      if (derivation.convention && derivation.convention !== data.conventions[state.convention].name) continue;
      parts.push(make("h4", {}, derivation.of), make("pre", { class: "derivation" }, derivation.text));
    }
    if (layer.place) {
      const [file, line] = layer.place;
      const button = make("button", { type: "button", id: "to-spec" }, `${data.sources[file].file}, line ${line}`);
      button.addEventListener("click", () => at(`line-${file}-${line}`).scrollIntoView({ block: "center" }));
      parts.push(make("p", {}, button));
    }
    const from = layer.inputs.filter((name) => named.has(name)).map((name) => linkTo(named.get(name).index));
    if (from.length) parts.push(make("h4", {}, "Takes"), make("div", { class: "others" }, ...from));
    if (others.length > 1) parts.push(make("h4", {}, `In this box: ${others.length} layers`), make("div", { class: "others" }, ...others.map(linkTo)));
    return parts;
  };
  const boxOf = new Map();
  for (const [id, indexes] of Object.entries(data.drawn)) for (const index of indexes) boxOf.set(index, id);
  const choose = (index, from) => {
    state.chosen = index;
    const layer = layers[index];
    for (const old of document.querySelectorAll(".chosen")) old.classList.remove("chosen");
    const box = at(boxOf.get(index));
    if (box) box.classList.add("chosen");
    rows[index].classList.add("chosen");
    document.querySelectorAll(`.bar[data-layer="${index}"]`).forEach((bar) => bar.classList.add("chosen"));
    if (layer.place) at(`line-${layer.place[0]}-${layer.place[1]}`).classList.add("chosen");
    replace(at("details"), ...describe(layer, data.drawn[boxOf.get(index)] || []));
    if (!rows[index].isConnected) { at("search").value = ""; at("category").value = ""; }
    listRows();
    const scroll = document.querySelector("#table .scroll");
    if (from !== "row") scroll.scrollTop = rows[index].offsetTop - scroll.clientHeight / 2;
    if (from === "row" && box) center(box);
  };
  at("layers").tBodies[0].addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    if (row) choose(Number(row.dataset.layer), "row");
  });
  at("layers").tBodies[0].addEventListener("keydown", (event) => {
    const row = event.target.closest("tr");
    const next = { ArrowDown: row.nextElementSibling, ArrowUp: row.previousElementSibling }[event.key];
    if (next) { row.tabIndex = -1; next.tabIndex = 0; next.focus(); event.preventDefault(); }
    if (event.key === "Enter" || event.key === " ") { choose(Number(row.dataset.layer), "row"); row.focus(); event.preventDefault(); }
  });

  // -- the drawing

  const frame = at("drawing");
  const svg = frame.querySelector("svg");
  const whole = svg.getAttribute("viewBox").split(/[\s,]+/).map(Number);
  let view = { x: 0, y: 0, width: 1, height: 1 };
  const show = () => svg.setAttribute("viewBox", `${view.x} ${view.y} ${view.width} ${view.height}`);
  const ratio = () => frame.clientHeight / Math.max(frame.clientWidth, 1);
  const begin = () => {  // a scale at which text can be read, from the top
    const width = Math.max(Math.min(whole[2], frame.clientWidth * 0.9), frame.clientWidth * 0.5);
    view = { x: whole[0] + (whole[2] - width) / 2, y: whole[1], width, height: width * ratio() };
    show();
  };
  const fit = () => { view = { x: whole[0], y: whole[1], width: whole[2], height: whole[3] }; show(); };
  const zoom = (factor, x = view.x + view.width / 2, y = view.y + view.height / 2) => {
    const width = Math.min(Math.max(view.width * factor, 40), Math.max(whole[2], whole[3] / ratio()) * 2);
    const by = width / view.width;
    view = { x: x + (view.x - x) * by, y: y + (view.y - y) * by, width, height: view.height * by };
    show();
  };
  const perPixel = () => Math.max(view.width / frame.clientWidth, view.height / frame.clientHeight);
  const move = (right, down) => { view.x += right * perPixel(); view.y += down * perPixel(); show(); };
  const center = (box) => {
    const place = box.getBoundingClientRect();
    const around = frame.getBoundingClientRect();
    move(place.left + place.width / 2 - around.left - around.width / 2, place.top + place.height / 2 - around.top - around.height / 2);
  };
  svg.removeAttribute("width");
  svg.removeAttribute("height");
  at("zoom-in").addEventListener("click", () => zoom(0.7));
  at("zoom-out").addEventListener("click", () => zoom(1 / 0.7));
  at("zoom-fit").addEventListener("click", fit);
  frame.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !frame.contains(document.activeElement)) return;  // else the page scrolls
    event.preventDefault();
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    zoom(event.deltaY > 0 ? 1.15 : 1 / 1.15, point.x, point.y);
  }, { passive: false });
  frame.addEventListener("keydown", (event) => {
    const act = { ArrowLeft: () => move(-60, 0), ArrowRight: () => move(60, 0), ArrowUp: () => move(0, -60),
      ArrowDown: () => move(0, 60), "+": () => zoom(0.8), "=": () => zoom(0.8), "-": () => zoom(1.25), 0: fit }[event.key];
    if (act) { act(); event.preventDefault(); }
  });
  let drag = null;
  frame.addEventListener("pointerdown", (event) => { drag = { x: event.clientX, y: event.clientY, moved: false }; });
  frame.addEventListener("pointermove", (event) => {
    if (!drag || !event.buttons) return;
    const right = drag.x - event.clientX, down = drag.y - event.clientY;
    if (!drag.moved && Math.hypot(right, down) < 5) return;
    if (!drag.moved) frame.setPointerCapture(event.pointerId);  // from here on, the click is not a box's
    drag = { x: event.clientX, y: event.clientY, moved: true };
    move(right, down);
  });
  for (const [id, indexes] of Object.entries(data.drawn)) {
    const box = at(id);
    if (!box) continue;
    fill(box, { tabindex: "0", role: "button", "aria-label": layers[indexes[0]].name }, []);
    for (const link of box.querySelectorAll("a")) link.removeAttribute("xlink:title");
    box.querySelector("title").textContent = layers[indexes[0]].name;
    box.addEventListener("click", () => choose(indexes[0]));
    box.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { choose(indexes[0]); event.preventDefault(); }
    });
    box.addEventListener("focus", () => { if (box.matches(":focus-visible")) center(box); });
  }

  // -- charts, as wide as the page, so that their text is as large everywhere

  const LEFT = 70, TALL = 200, LETTER = 6.8;
  let wide = 1000;
  const ticks = (top, text) => {
    const unit = text === bytes ? 1024 ** Math.floor(Math.log(top) / Math.log(1024)) : 1;
    const power = unit * 10 ** Math.floor(Math.log10(top / unit / 4));
    const step = [1, 2, 5, 10].map((one) => one * power).find((one) => top / one <= 5);
    return Array.from({ length: Math.floor(top / step) + 1 }, (_, index) => index * step);
  };
  const axes = (top, text) => ticks(top, text).flatMap((value) => {
    const y = TALL - (value / top) * (TALL - 15);
    return [draw("line", { class: "grid", x1: LEFT, x2: wide, y1: y, y2: y }),
      draw("text", { x: LEFT - 6, y: y + 4, "text-anchor": "end" }, text(value))];
  });
  const along = (names) => {  // the names of stages, where there is room
    const labels = [];
    const step = (wide - LEFT) / Math.max(names.length, 1);
    let stage = null, end = 0;
    names.forEach((name, index) => {
      const layer = named.get(name);
      if (!layer || layer.stage === stage) return;
      stage = layer.stage;
      const x = LEFT + index * step;
      labels.push(draw("line", { class: "grid", x1: x, x2: x, y1: 0, y2: TALL + 4 }));
      const text = stage.length > 22 ? `${stage.slice(0, 21)}…` : stage;
      const start = Math.min(x + 2, wide - LETTER * text.length);  // the last is whole too
      if (start < end) return;
      labels.push(draw("text", { x: start, y: TALL + 16 }, text));
      end = start + LETTER * text.length + 10;
    });
    return labels;
  };
  const chart = (id, label, ...parts) => replace(at(id),
    draw("svg", { viewBox: `0 0 ${wide} ${TALL + 24}`, role: "img", "aria-label": label }, ...parts));
  const bars = () => {
    const metric = METRICS[state.metric];
    const top = Math.max(...inference.map(metric.of), 1);
    const step = (wide - LEFT) / Math.max(inference.length, 1);
    chart("bars", `${metric.name()} of every layer`, ...axes(top, metric.text), ...along(inference.map((layer) => layer.name)),
      ...inference.map((layer, index) => {
        const height = (metric.of(layer) / top) * (TALL - 15);
        const index0 = layer.index;
        const bar = draw("rect", { class: `bar${index0 === state.chosen ? " chosen" : ""}`, "data-layer": index0, x: LEFT + index * step, y: TALL - height,
          width: Math.max(step * 0.85, 0.6), height }, draw("title", {}, `${layer.name}: ${metric.text(metric.of(layer))}`));
        bar.addEventListener("click", () => choose(index0));
        return bar;
      }));
    const stages = new Map(inference.map((layer) => [layer.stage, []]));
    for (const layer of inference) stages.get(layer.stage).push(layer);
    const total = Math.max(sum(inference, metric.of), 1);
    replace(at("stages"), make("thead", {}, make("tr", {}, make("th", { class: "words" }, "stage"), make("th", {}, "layers"),
      make("th", {}, "parameters"), make("th", {}, metric.name()), make("th", { class: "words" }, "share"))),
    make("tbody", {}, ...[...stages].map(([stage, own]) => {
      const cost = sum(own, metric.of);
      const part = `${((100 * cost) / total).toFixed(1)} %`;
      return make("tr", {}, make("td", { class: "words" }, stage), make("td", {}, full(own.length)),
        make("td", {}, count(sum(own, (layer) => layer.params))), make("td", {}, metric.text(cost)),
        make("td", { class: "words" }, make("meter", { min: 0, max: total, value: cost, "aria-label": part }), ` ${part}`));
    })));
  };
  const fields = () => {
    const main = new Set(data.main_path.map((index) => layers[index]));
    const placed = inference.filter((layer) => main.has(layer) && !layer.rf_stride.includes(null));
    const top = Math.max(...inference.map(field), 1);
    const step = (wide - LEFT) / Math.max(inference.length, 1);
    const y = (value) => TALL - (value / top) * (TALL - 15);
    const place = new Map(inference.map((layer, index) => [layer, index]));
    const points = placed.map((layer) => `${LEFT + (place.get(layer) + 0.5) * step},${y(field(layer))}`);
    const extent = Math.max(...Object.values(data.inputs)[0].split("×").slice(1).map(Number), 0);
    chart("field", "receptive field along the main path", ...axes(top, (value) => full(value)), ...along(inference.map((layer) => layer.name)),
      ...(extent && extent <= top ? [draw("line", { class: "limit", x1: LEFT, x2: wide, y1: y(extent), y2: y(extent) })] : []),
      draw("polyline", { class: "curve", points: points.join(" ") }));
    const last = placed[placed.length - 1];
    at("field-says").textContent = (last ? `${full(field(last))} positions at ${last.name}, the last layer whose positions have a place of their own; ` : "")
      + `the dashed line is the input's extent, ${extent}. At a join, the curve goes by what sees the most.`
      + (data.unaligned.length ? ` Unaligned from ${data.unaligned[0]} on: paths that meet there differ in stride or center.` : "");
  };
  const times = () => {
    const { bytes: live, layers: names, alive } = data.timeline;
    if (!live.length) return;
    const top = Math.max(...live, 1);
    const step = (wide - LEFT) / live.length;
    const y = (value) => TALL - (value / top) * (TALL - 15);
    const points = live.flatMap((value, index) => [`${LEFT + index * step},${y(value)}`, `${LEFT + (index + 1) * step},${y(value)}`]);
    chart("time", "bytes alive while each layer runs", ...axes(top, bytes), ...along(names),
      draw("polygon", { class: "area", points: `${LEFT},${TALL} ${points.join(" ")} ${wide},${TALL}` }),
      draw("polyline", { class: "curve", points: points.join(" ") }),
      ...live.map((value, index) => draw("rect", { x: LEFT + index * step, y: 0, width: step, height: TALL, fill: "transparent" },
        draw("title", {}, `${names[index]}: ${bytes(value)}, ${alive[index]} tensors`))));
    at("time-says").textContent = `Tensors alive while each layer runs, batch ${data.batch}, ${data.dtype}, without the weights. `
      + `The peak, ${bytes(live[peak])} in ${alive[peak]} tensors, is at ${names[peak]}.`
      + (data.timeline.estimated ? ` ${data.timeline.estimated}` : "");
  };

  // -- conventions and the spec

  const conventions = () => {
    const kinds = [...new Set(inference.map((layer) => layer.category))];
    replace(at("conventions"), make("thead", {}, make("tr", {}, make("th", { class: "words" }, "convention"), make("th", {}, "FLOPs"),
      ...kinds.map((kind) => make("th", {}, kind)), make("th", {}, "memory"), make("th", { class: "words" }, "counts"))),
    make("tbody", {}, ...data.conventions.map((one, index) => make("tr", { class: index === state.convention ? "current" : "" },
      make("td", { class: "words" }, one.name), make("td", {}, full(sum(inference, (layer) => layer.flops[index]))),
      ...kinds.map((kind) => make("td", {}, count(sum(inference.filter((layer) => layer.category === kind), (layer) => layer.flops[index])))),
      make("td", {}, bytes(sum(inference, (layer) => layer.memory[index]))), make("td", { class: "words long" }, one.says)))));
  };
  const charts = () => { wide = Math.max(at("bars").clientWidth, 280); bars(); fields(); times(); };
  const specs = () => replace(at("spec"), ...data.sources.flatMap((source, file) => [make("h3", {}, source.file),
    make("pre", { tabindex: "0" }, ...source.lines.map((line, index) =>
      make("span", { class: "line", id: `line-${file}-${index + 1}`, "data-line": index + 1 }, line || " ")))]));

  // -- together

  const recount = () => { summarize(); writeRows(); listRows(); charts(); conventions(); if (state.chosen !== null) choose(state.chosen, "count"); };
  at("about").textContent = [data.title, data.source].filter(Boolean).join(" · ");
  at("notes").textContent = data.notes;
  replace(at("convention"), ...data.conventions.map((one, index) => make("option", { value: index }, one.name)));
  at("convention").value = state.convention;
  at("convention").addEventListener("change", () => { state.convention = Number(at("convention").value); recount(); });
  replace(at("metric"), ...Object.entries(METRICS).map(([key]) => make("option", { value: key }, METRICS[key].bare)));
  at("metric").addEventListener("change", () => { state.metric = at("metric").value; bars(); });
  replace(at("category"), make("option", { value: "" }, "all"),
    ...[...new Set(layers.map((layer) => layer.category))].sort().map((kind) => make("option", { value: kind }, kind)));
  at("search").addEventListener("input", listRows);
  at("category").addEventListener("change", listRows);
  headings();
  specs();
  begin();
  recount();
  window.addEventListener("resize", () => { begin(); charts(); });
  window.addEventListener("beforeprint", fit);
})();
