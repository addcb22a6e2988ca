"use strict";
// The editor: ACE with completion by the server, and mistakes under their lines.

class Editor {
  constructor(element, ask) {
    ace.config.set("useStrictCSP", true);
    ace.config.set("basePath", "/ace");
    ace.config.setDefaultValue("session", "useWorker", false);
    this.ace = ace.edit(element, {
      mode: "ace/mode/yaml", showPrintMargin: false, tabSize: 2, useSoftTabs: true, fontSize: 13,
      enableBasicAutocompletion: true, enableLiveAutocompletion: true, liveAutocompletionThreshold: 1, enableKeyboardAccessibility: true,
    });
    this.ace.textInput.getElement().setAttribute("aria-label", "The spec, in YAML");
    this.session = this.ace.getSession();
    this.ask = ask;
    this.waiting = null;
    this.markers = [];
    this.widgets = [];
    const { LineWidgets } = ace.require("ace/line_widgets");
    this.session.widgetManager = new LineWidgets(this.session);
    this.session.widgetManager.attach(this.ace);
    this.ace.completers = [{
      identifierRegexps: [/[\w]/],
      getCompletions: (editor, session, place, prefix, callback) => {
        this.waiting = callback;
        this.ask(session.getValue(), place.row, place.column);
      },
    }];
  }

  get text() { return this.session.getValue(); }

  // Replace the text, and only what differs of it: the cursor stays where it is.
  set text(text) {
    const old = this.session.getValue();
    if (old === text) return;
    let start = 0;
    const least = Math.min(old.length, text.length);
    while (start < least && old[start] === text[start]) start++;
    let end = 0;
    while (end < least - start && old[old.length - 1 - end] === text[text.length - 1 - end]) end++;
    const document = this.session.getDocument();
    const { Range } = ace.require("ace/range");
    const from = document.indexToPosition(start), to = document.indexToPosition(old.length - end);
    this.session.replace(Range.fromPoints(from, to), text.slice(start, text.length - end));
  }

  changed(callback) { this.session.on("change", callback); }

  moved(callback) { this.session.selection.on("changeCursor", () => callback(this.ace.getCursorPosition().row)); }

  propose(words) {
    const callback = this.waiting, completer = this.ace.completer;
    this.waiting = null;
    if (!callback) return;
    callback(null, words.map((word, place) => ({
      caption: word.text, value: word.text, meta: word.kind, score: 1000 - place, docText: word.says,
    })));
    // ACE opens no list by itself if more was typed while it waited for the first words.
    const found = completer && completer.activated && completer.completions;
    if (found && found.filtered.length && !(completer.popup && completer.popup.isOpen)) {
      completer.openPopup(this.ace, found.filterText, false);
    }
  }

  goTo(line) {
    this.ace.gotoLine(line + 1, 0, false);
    this.ace.scrollToLine(line, true, false);
  }

  mark(marks) {
    const { Range } = ace.require("ace/range");
    for (const marker of this.markers) this.session.removeMarker(marker);
    for (const widget of this.widgets) this.session.widgetManager.removeLineWidget(widget);
    this.markers = [];
    this.widgets = [];
    const last = this.session.getLength() - 1;
    this.session.setAnnotations(marks.map((mark) => ({
      row: Math.min(mark.line, last), column: mark.column, text: mark.says, type: mark.warning ? "warning" : "error",
    })));
    const lines = new Map();
    for (const mark of marks) {
      const row = Math.min(mark.line, last);
      if (mark.length) {
        const range = new Range(row, mark.column, row, mark.column + mark.length);
        this.markers.push(this.session.addMarker(range, mark.warning ? "warned" : "mistake", "text", false));
      }
      lines.set(row, [...(lines.get(row) || []), mark]);
    }
    for (const [row, of] of lines) {
      const element = document.createElement("div");
      element.className = of.every((mark) => mark.warning) ? "under warning" : "under";
      const said = new Set(of.map((mark) => mark.says + (mark.help ? `\nhelp: ${mark.help}` : "")));
      element.textContent = [...said].slice(0, 5).join("\n");
      const widget = { row, el: element, fixedWidth: true, coverGutter: true };
      this.session.widgetManager.addLineWidget(widget);
      this.widgets.push(widget);
    }
    // The messages have moved lines since their marks were drawn.
    requestAnimationFrame(() => this.ace.renderer.updateFull());
    // A message below the last line moves it up or down.
    if (marks.length && this.ace.isFocused()) this.ace.renderer.scrollCursorIntoView();
  }
}
