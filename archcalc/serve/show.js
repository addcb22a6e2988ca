"use strict";
// What is shown: HTML and drawings of the server, put into the page with as few changes as possible.

const $ = (selector) => document.querySelector(selector);
const all = (selector) => [...document.querySelectorAll(selector)];

// Make an element's content that of some HTML; what is equal stays as it is.
function become(element, html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  children(element, template.content);
}

function children(old, fresh) {
  const now = [...old.childNodes], next = [...fresh.childNodes];
  next.forEach((node, place) => (place < now.length ? same(now[place], node) : old.appendChild(node)));
  now.slice(next.length).forEach((node) => node.remove());
}

function same(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeName !== fresh.nodeName) { old.replaceWith(fresh); return; }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  children(old, fresh);
}

// Put a drawing into an element; `choose` is called with the layer of a box.
function draw(element, svg, nodes, choose) {
  if (element.drawn === svg && element.querySelector("svg")) return;
  const focused = element.contains(document.activeElement) ? document.activeElement.dataset.layer : undefined;
  const parsed = new DOMParser().parseFromString(svg, "image/svg+xml").documentElement;
  if (parsed.nodeName !== "svg") return;
  for (const node of parsed.querySelectorAll("g.node")) {
    const layer = node.dataset.layer ?? nodes[node.id];
    if (layer === undefined) continue;
    node.setAttribute("tabindex", "0");
    node.setAttribute("role", "button");
    node.setAttribute("aria-label", layer);
    node.dataset.layer = layer;
    node.addEventListener("click", () => choose(layer));
    node.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(layer); }
    });
  }
  element.replaceChildren(document.adoptNode(parsed));
  element.drawn = svg;
  // The keyboard stays at its box.
  if (focused) [...element.querySelectorAll(".node")].find((node) => node.dataset.layer === focused)?.focus();
}

// Show a drawing as wide as its place, at most in its own size; with `whole`, all of it.
function zoom(element, factor, whole) {
  const svg = element.querySelector("svg");
  if (!svg || !element.clientWidth) return;
  const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
  const beside = (element.clientWidth - 4) / width, below = (element.clientHeight - 4) / height;
  const fit = Math.min(beside, whole ? below : 4 / 3, 4 / 3);
  svg.setAttribute("width", width * fit * factor);
  svg.setAttribute("height", height * fit * factor);
}

async function packed(data) {
  const stream = new Blob([JSON.stringify(data)]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

const LONGEST = 2_500_000;

// Return what `packed` has packed; throws for anything else, and for what is larger than any page packs.
async function unpacked(text) {
  const bytes = Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
  const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  const parts = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.length;
    if (size > LONGEST) { await reader.cancel(); throw new Error("too large"); }
    parts.push(value);
  }
  return JSON.parse(await new Blob(parts).text());
}

function give(name, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content]));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
