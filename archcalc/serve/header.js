"use strict";
// What is above the columns: open, save, keep, download and share. Then the page is whole, and asks for its text.

$("#open").addEventListener("submit", (event) => {
  event.preventDefault();
  const value = $("#network").value.trim(), at = value.indexOf("#s=");
  if (at >= 0) take(value.slice(at + 3));
  else if (value) ask("open", { name: value });
});
$("#network").addEventListener("change", () => { if ([...$("#networks").options].some((each) => each.value === $("#network").value)) $("#open").requestSubmit(); });
$("#save").addEventListener("click", save);
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "s") { event.preventDefault(); save(); }
});
$("#keep").addEventListener("click", () => {
  state.kept = { text: editor.text, view: structuredClone(state.view) };
  set({ panel: "compare", other: "" });
});
$("#download").addEventListener("change", () => {
  const format = $("#download").value;
  $("#download").value = "";
  if (format === "spec") give(state.file || `${$("#name").textContent}.yaml`, editor.text);
  else if (format) ask("download", { text: editor.text, view: state.view, name: format });
});
$("#share").addEventListener("click", async () => {
  $("#link").value = `${location.origin}/#s=${await packed({ text: editor.text, view: state.view, kept: state.kept })}`;
  $("#shared").showModal();
  $("#link").select();
});

function save() { if (state.file) ask("save", { text: editor.text }); }

// Take the state of a link. It is somebody else's until the reader makes it theirs.
async function take(fragment) {
  let data;
  try {
    data = await unpacked(fragment);
    if (typeof data.text !== "string" || typeof data.view !== "object") throw new Error("no state");
  } catch {
    set({});
    banner("This link has no network, or not all of one.", { Close: () => {} });
    return;
  }
  state.shared = true;
  state.kept = data.kept || null;
  state.view = { ...START };
  for (const name of Object.keys(START)) if (name in data.view) state.view[name] = data.view[name];
  quiet = true;
  editor.text = data.text;
  quiet = false;
  set({});
  banner("This network came by a link. It reads and writes no file.", { "Make it mine": () => { state.shared = false; show(); } });
}

connect();
