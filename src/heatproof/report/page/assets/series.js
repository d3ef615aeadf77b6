// Series: methods, mostly. Each has one colour wherever it appears, and is shown or hidden everywhere at once.
const hidden = {};
const onFilter = {};
const onTheme = [];
media.dark.addEventListener("change", () => onTheme.forEach((paint) => paint()));

function seriesOf(kind, name) {
  return (data.kinds[kind] ?? []).find((one) => one.name === name);
}

function colourOf(series, theme = media.dark.matches ? "dark" : "light") {
  return series.reference ? data.colours.reference[theme] : data.colours[theme][series.colour];
}

function dashOf(series) {
  return series.reference ? "dash" : data.colours.dashes[series.dash];
}

/** A sample of a series' line. */
function swatch(series) {
  const space = "http://www.w3.org/2000/svg";
  const sample = document.createElementNS(space, "svg");
  const line = document.createElementNS(space, "line");
  const dashes = { solid: "none", dash: "4 2.5", dot: "1.5 2", dashdot: "6 2 1.5 2", longdashdot: "3 1.5 1 1.5" };
  for (const [name, value] of Object.entries({ viewBox: "0 0 22 10", class: "swatch", "aria-hidden": "true" })) {
    sample.setAttribute(name, value);
  }
  for (const [name, value] of Object.entries({ x1: 0, x2: 22, y1: 5, y2: 5, "stroke-width": 3.5 })) {
    line.setAttribute(name, value);
  }
  line.setAttribute("stroke-dasharray", dashes[dashOf(series)]);
  for (const theme of ["light", "dark"]) line.style.setProperty(`--${theme}`, colourOf(series, theme));  // paper is light
  sample.append(line);
  return sample;
}

function isHidden(kind, name) {
  return hidden[kind]?.has(name) ?? false;
}

/** Check boxes that show and hide the series of a kind in all charts and pictures. */
function filterOf(kind, title) {
  hidden[kind] ??= new Set();
  const tell = () => (onFilter[kind] ?? []).forEach((listen) => listen());
  const boxes = data.kinds[kind].map((series) => {
    const box = make("input", { type: "checkbox", checked: true });
    box.addEventListener("change", () => {
      if (box.checked) hidden[kind].delete(series.name);
      else hidden[kind].add(series.name);
      tell();
    });
    return { box, label: make("label", {}, box, swatch(series), make("span", {}, series.shown)) };
  });
  const all = make("button", { type: "button", className: "plain all", textContent: "Show all" });
  all.addEventListener("click", () => {
    hidden[kind].clear();
    boxes.forEach(({ box }) => { box.checked = true; });
    tell();
  });
  const labels = boxes.map(({ label }) => label);
  const choices = make("div", { className: "choices" }, ...labels, ...(boxes.length > 2 ? [all] : []));
  return make("fieldset", { className: "filter" }, make("legend", {}, title), choices);
}

/** The filter of methods stands beside the page where there is room, and above the charts where there is none. */
function placeFilter() {
  if ((data.kinds.methods ?? []).length < 2) return;
  const filter = filterOf("methods", "Show");
  const place = () => document.getElementById(media.wide.matches ? "filter-aside" : "filter-main").append(filter);
  media.wide.addEventListener("change", place);
  place();
}
