"use strict";
// Exercises: fields beside the questions of the quiz, and in the blank cells of the worksheet; graded by the server.

const written = { questions: "", answers: {} };

// Show the questions with a field for each answer. What was written stays, if they are the same questions.
function exercise(element, answer) {
  if (written.questions !== answer.html) Object.assign(written, { questions: answer.html, answers: {} });
  else if (element.querySelector("[data-answer]")) return;
  $("#grades").textContent = "";
  const template = document.createElement("template");
  template.innerHTML = answer.html;
  const fields = answer.exercise === "quiz" ? questions(template.content) : blanks(template.content, answer.asked);
  for (const { id, label, place } of fields) {
    const input = document.createElement("input"), hint = document.createElement("span");
    Object.assign(input, { autocomplete: "off", spellcheck: false, ariaLabel: label, value: written.answers[id] || "" });
    input.dataset.answer = id;
    hint.className = "hint";
    hint.id = `hint-${id}`;
    input.setAttribute("aria-describedby", hint.id);
    input.addEventListener("keydown", (event) => { if (event.key === "Enter") grade(); });
    input.addEventListener("input", () => {
      written.answers[id] = input.value;
      delete input.dataset.verdict;
      input.removeAttribute("aria-invalid");
      hint.textContent = "";
    });
    place.append(" ", input, hint);
  }
  element.replaceChildren(template.content);
}

function* questions(content) {
  let exercise = 0;
  for (const item of content.querySelectorAll("ul > li:has(> b)")) {
    exercise++;
    const asked = [...item.querySelectorAll("li")].filter((line) => line.textContent.startsWith("→"));
    for (const [at, place] of asked.entries()) yield { id: `${exercise}.${at}`, label: place.textContent.slice(2), place };
  }
}

function* blanks(content, asked) {
  const headings = [...content.querySelectorAll("thead th")].map((heading) => heading.textContent);
  for (const [at, row] of [...content.querySelectorAll("tbody tr")].entries()) {
    for (const column of asked) {
      const place = row.cells[column];
      if (place && !place.textContent) yield { id: `${at + 1}.${column}`, label: `${headings[column]} of ${row.cells[0].textContent}`, place };
    }
  }
}

function grade() { ask("grade", { text: editor.text, view: state.view, answers: written.answers }); }

function graded(element, { verdicts, says }) {
  $("#grades").textContent = says;
  for (const input of element.querySelectorAll("[data-answer]")) {
    const [verdict, hint] = verdicts[input.dataset.answer] || ["", ""];
    input.dataset.verdict = verdict;
    if (verdict === "wrong" || verdict === "unreadable") input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
    input.nextElementSibling.textContent = verdict === "missing" ? "" : hint ? `${verdict}: ${hint}` : verdict;
  }
}

$("#grade").addEventListener("click", grade);
