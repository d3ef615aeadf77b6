// Tables: sorted by their heads, copied in the order one sees.
function valueOf(cell) {
  const exact = cell.dataset.value ?? /^[−-]?\d[\d.,]*(e[+-]?\d+)?/.exec(cell.textContent)?.[0].replace("−", "-").replaceAll(",", "");
  const number = exact === undefined ? NaN : Number(exact);
  return Number.isNaN(number) ? cell.textContent : number;
}

function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), undefined, { numeric: true });
}

const nothing = (value) => value === "–" || value === "";

function sortable(table) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  const rows = [...body.rows];
  if (rows.length < 2) return () => rows.map((_, number) => number);
  heads.forEach((head, column) => {
    const name = head.textContent;
    const button = make("button", { type: "button", textContent: name });
    head.replaceChildren(button);
    head.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const first = typeof valueOf(rows[0].cells[column]) === "number" ? "descending" : "ascending";
      const other = first === "descending" ? "ascending" : "descending";
      const order = head.getAttribute("aria-sort") === first ? other : first;
      heads.forEach((one) => one.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      const keyed = [...body.rows].map((row) => ({ row, value: valueOf(row.cells[column]) }));
      // what has no value stands last, however one sorts
      keyed.sort((a, b) => nothing(a.value) - nothing(b.value) || sign * compare(a.value, b.value));
      body.append(...keyed.map(({ row }) => row));
      say(`Sorted by ${name}, ${order}.`);
    });
  });
  return () => [...body.rows].filter((row) => !row.hidden).map((row) => rows.indexOf(row));
}

const MANY_ROWS = 9;  // from here on, a table can be searched

/** A field above a long table that leaves only the rows with a text in them. */
function searchOf(table) {
  const rows = [...table.tBodies[0].rows];
  if (rows.length < MANY_ROWS) return [];
  const field = make("input", { type: "search", className: "search", placeholder: "Rows with …", "aria-label": "Show only rows with this text" });
  field.addEventListener("input", () => {
    const wanted = field.value.trim().toLowerCase();
    for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
    say(`${rows.filter((row) => !row.hidden).length} of ${rows.length} rows.`);
  });
  return [field];
}

function dressTables() {
  const shown = new Map((data.kinds.methods ?? []).map((series) => [series.shown, series]));
  document.querySelectorAll(".table").forEach((box, number) => {
    const table = box.querySelector("table");
    const order = sortable(table);
    for (const cell of table.querySelectorAll("tbody th, tbody td")) {
      const series = shown.get(cell.textContent);
      if (!series) continue;
      cell.prepend(swatch(series));
      cell.classList.add("series");
    }
    const forms = Object.entries(data.tables[number]).map(([form, { head, rows, tail }]) =>
      copyButton(form, `the table as ${form}`, () => head + order().map((row) => rows[row]).join("") + tail));
    box.prepend(...searchOf(table));
    box.append(make("div", { className: "copies" }, "Copy as ", ...forms));
  });
}
