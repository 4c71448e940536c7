"use strict";
// Sorting by a button in each heading, and a filter. Every row is in the page without it; texts are only ever set as text.
const UNITS = { ns: 1e-9, "µs": 1e-6, ms: 1e-3, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, K: 1e3, M: 1e6, B: 1e9 };
const NUMBER = /^(-?\d[\d.]*(?:e[+-]?\d+)?)\s*(?:±\s*\S+\s*)?(\S+)?/;

function numeral(text) {
  const found = NUMBER.exec(text);
  return found ? Number(found[1]) * (UNITS[found[2]] || 1) : NaN;
}

// Footnotes are no part of a number, and what failed has none.
function words(cell) {
  if (cell.classList.contains("trouble")) return "";
  const copy = cell.cloneNode(true);
  for (const note of copy.querySelectorAll("sup")) note.remove();
  return copy.textContent.trim();
}

function compare(a, b, numeric, sign) {
  if (!numeric) return sign * a.localeCompare(b, undefined, { numeric: true });
  const [x, y] = [numeral(a), numeral(b)];
  // What is missing is neither large nor small: it comes last either way.
  if (isNaN(x) || isNaN(y)) return isNaN(x) - isNaN(y);
  return sign * (x - y);
}

function sortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  const bodies = [...table.tBodies].map((body) => [body, [...body.rows]]);
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const next = { ascending: "descending", descending: "" }[head.ariaSort] ?? "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      if (next) head.ariaSort = next;
      const numeric = head.classList.contains("number");
      for (const [body, rows] of bodies) {
        const titles = rows.filter((row) => row.className === "model");
        const others = rows.filter((row) => row.className !== "model");
        const keyed = others.map((row) => [words(row.cells[column]), row]);
        if (next) keyed.sort((a, b) => compare(a[0], b[0], numeric, next === "ascending" ? 1 : -1));
        body.append(...titles, ...keyed.map((pair) => pair[1]));
      }
    });
  });
}

function filterable(table, bar) {
  const label = document.createElement("label");
  const input = document.createElement("input");
  const told = document.createElement("output");
  input.type = "search";
  told.setAttribute("role", "status");
  label.append("Show rows with ", input);
  bar.append(label, told);
  input.addEventListener("input", () => {
    const wanted = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0, all = 0;
    for (const body of table.tBodies) {
      const title = body.querySelector("tr.model")?.textContent ?? "";
      let left = 0;
      for (const row of body.rows) {
        if (row.className === "model") continue;
        const text = (title + " " + row.textContent).toLowerCase();
        row.hidden = !wanted.every((word) => text.includes(word));
        left += row.hidden ? 0 : 1;
        all += 1;
      }
      body.hidden = left === 0;
      shown += left;
    }
    told.textContent = wanted.length ? `${shown} of ${all} rows` : "";
  });
}

for (const table of document.querySelectorAll("table[data-sort]")) {
  sortable(table);
  const bar = table.parentElement.previousElementSibling;
  if (bar?.classList.contains("tools")) filterable(table, bar);
}
