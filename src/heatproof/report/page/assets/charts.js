// Charts: traces come without colours, which depend on whether the page is dark.
function themed() {
  const style = getComputedStyle(document.documentElement);
  return (name) => style.getPropertyValue(`--${name}`).trim();
}

function translucent(hex, alpha) {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  return `rgba(${red},${green},${blue},${alpha})`;
}

const looks = {
  line: (colour, dash) => ({ line: { color: colour, dash, width: 2 }, marker: { color: colour, size: 5 } }),
  band: (colour, dash, crowd) => ({ fillcolor: translucent(colour, Math.min(0.15, 0.4 / crowd)), line: { color: translucent(colour, 0.35), width: 0.75 } }),
  points: (colour) => ({ marker: { color: colour, size: 5, opacity: 0.4 } }),
  mean: (colour) => ({ marker: { color: colour, size: 13, line: { color: themed()("card"), width: 2 } } }),
  range: (colour) => ({ marker: { color: colour, size: 9 } }),
  box: (colour) => ({ fillcolor: translucent(colour, 0.55), line: { color: colour, width: 1.5 }, marker: { color: colour, size: 4 } }),
};

/** The traces in today's colours, those of hidden series left out; the more bands lie over one another, the fainter. */
function painted(traces, kind) {
  const crowd = traces.filter(({ meta }) => meta.part === "band" && !isHidden(kind, meta.series)).length;
  return traces.map((trace) => {
    const series = seriesOf(kind, trace.meta.series) ?? { reference: true };
    const look = looks[trace.meta.part](colourOf(series), dashOf(series), crowd);
    return { ...trace, ...look, showlegend: false, visible: !isHidden(kind, trace.meta.series) };
  });
}

function laidOut(layout) {
  const colour = themed();
  const axis = (given = {}) => ({
    gridcolor: colour("line"), zerolinecolor: colour("soft"), zerolinewidth: 1, linecolor: colour("line"),
    fixedrange: true, ...given, title: { font: { size: 12.5 }, standoff: 8, ...given.title },
  });
  const axes = Object.fromEntries(["xaxis", "yaxis", "yaxis2"].filter((name) => layout[name]).map((name) => [name, axis(layout[name])]));
  return {
    ...layout, ...axes,
    hovermode: media.wide.matches ? layout.hovermode : "closest",
    dragmode: false,  // so that a finger on a chart scrolls the page
    margin: { l: 48, r: layout.yaxis2 ? 48 : 10, t: 10, b: 42 },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("ink") },
    hoverlabel: { bgcolor: colour("card"), bordercolor: colour("line"), font: { size: 12, color: colour("ink") }, namelength: -1 },
  };
}

const plotting = { displayModeBar: false, responsive: true, doubleClick: false };

function drawChart(box, chart) {
  box.setAttribute("role", "img");
  box.setAttribute("aria-label", chart.said);
  const draw = () => Plotly.react(box, painted(chart.traces, chart.kind), laidOut(chart.layout), plotting);
  (onFilter[chart.kind] ??= []).push(draw);
  onTheme.push(draw);
  media.wide.addEventListener("change", draw);
  if (chart.kind !== "methods" && data.kinds[chart.kind].length > 1) {
    box.after(make("div", { className: "own-filter" }, filterFor(chart.kind)));
  }
  return draw();
}

/** Of a kind with several charts, the first has the filter. */
const filtered = new Set();
function filterFor(kind) {
  if (filtered.has(kind)) return "";
  filtered.add(kind);
  return filterOf(kind, "Show");
}

function drawCharts() {
  const boxes = [...document.querySelectorAll(".chart > .plot")];
  return Promise.all(boxes.map((box, number) => drawChart(box, data.charts[number])));
}
