// Pictures that are destroyed step by step. A region that was removed is copied from the replacement picture, rectangle
// by rectangle: no pixel is read back, so browsers that blur what pages read from a canvas show the same.
const significant = new Intl.NumberFormat("en", { minimumSignificantDigits: 3, maximumSignificantDigits: 3, useGrouping: false });
const said = (value) => (value === null ? "–" : significant.format(value).replace("-", "−"));

function loaded(address) {
  const picture = new Image();
  picture.src = address;
  return picture.decode().then(() => picture);
}

/** What removed pixels become: a picture, or plain grey where that changes with every step. */
async function replacementOf(picture) {
  if (picture.replacement) return loaded(picture.replacement);
  const grey = make("canvas", { width: picture.width, height: picture.height });
  const context = grey.getContext("2d");
  context.fillStyle = "#808080";
  context.fillRect(0, 0, grey.width, grey.height);
  return grey;
}

/** One method on one picture: its heatmap, and the picture as far as it is destroyed. */
class WalkCard {
  constructor(walk, picture, regions, images) {
    Object.assign(this, { walk, picture, regions, images, drawn: -1 });
    this.series = seriesOf("methods", walk.series);
    const parts = [];
    if (walk.heatmap) parts.push(make("img", { src: walk.heatmap, alt: `Heatmap of ${this.series.shown}` }));
    if (walk.order) {
      this.canvas = make("canvas", { width: picture.width, height: picture.height, role: "img" });
      this.canvas.style.gridColumn = "2";
      parts.push(this.canvas);
    }
    this.said = make("p");
    this.element = make("div", { className: "walk" },
      make("h4", {}, swatch(this.series), make("span", {}, this.series.shown)), make("div", { className: "pair" }, ...parts), this.said);
    this.element.dataset.series = walk.series;
  }

  /** How many of its steps are taken: a method may have fewer than others. */
  taken(step) {
    return Math.min(step, this.walk.order.length);
  }

  /** Place of the last score up to a step. */
  scored(step) {
    return this.walk.at.findLastIndex((at) => at <= step);
  }

  removed(step) {
    const pixels = this.walk.order.slice(0, this.taken(step)).reduce((sum, region) => {
      const parts = this.regions[region];
      for (let i = 0; i < parts.length; i += 4) sum += parts[i + 2] * parts[i + 3];
      return sum;
    }, 0);
    return pixels / (this.picture.width * this.picture.height);
  }

  show(step) {
    if (!this.canvas) return;
    const context = this.canvas.getContext("2d");
    context.imageSmoothingEnabled = false;
    if (this.drawn < 0 || this.drawn > step) {
      context.drawImage(this.images.image, 0, 0);
      this.drawn = 0;
    }
    for (const region of this.walk.order.slice(this.drawn, this.taken(step))) {
      const parts = this.regions[region];
      for (let i = 0; i < parts.length; i += 4) {
        const [x, y, width, height] = parts.slice(i, i + 4);
        context.drawImage(this.images.replacement, x, y, width, height, x, y, width, height);
      }
    }
    this.drawn = this.taken(step);
    const place = this.scored(step), at = this.walk.at[place];
    const when = at === this.drawn ? "" : ` (after step ${at})`;
    const share = `${(100 * this.removed(step)).toFixed(1)} % removed`, score = `score ${said(this.walk.scores[place])}${when}`;
    this.said.textContent = `${share} · ${score}`;
    this.canvas.setAttribute("aria-label", `${this.series.shown}: step ${this.drawn} of ${this.walk.order.length}, ${share}, ${score}`);
  }
}

class Viewer {
  constructor(box, { pictures, regions, unit }) {
    Object.assign(this, { pictures, regions, unit, cards: [], step: 0 });
    const lengths = pictures.flatMap(({ walks }) => walks.map(({ order }) => order?.length ?? 0));
    this.last = Math.max(...lengths, 0);
    this.title = make("h3", { id: `viewer-${box.dataset.number}` });
    this.original = make("img", { className: "original" });
    this.plot = make("div", { className: "plot", role: "img" });
    this.grid = make("div", { className: "walk-grid" });
    this.thumbs = make("div", { className: "thumbs", role: "group", "aria-label": "Pictures" }, ...pictures.map((picture, place) => this.thumb(picture, place)));
    const above = this.last ? [make("div", { className: "top" }, this.original, this.plot), this.controls()] : [];
    const parts = [this.title, ...above, this.grid, this.scale()];
    box.append(make("div", { className: "viewer" }, ...(pictures.length > 1 ? [this.thumbs] : []), ...parts));
    (onFilter.methods ??= []).push(() => this.filter());
    onTheme.push(() => this.drawScores());
  }

  thumb(picture, place) {
    const button = make("button", { type: "button", "aria-pressed": "false" }, make("img", { src: picture.image, alt: picture.name }));
    button.addEventListener("click", () => this.choose(place));
    return button;
  }

  controls() {
    this.slider = make("input", { type: "range", min: 0, max: this.last, step: 1, value: 0, "aria-label": "Removed regions" });
    this.slider.addEventListener("input", () => this.go(Number(this.slider.value)));
    this.output = make("output");
    this.play = make("button", { type: "button", className: "plain" });
    this.play.addEventListener("click", () => (this.timer ? this.stop() : this.start()));
    media.still.addEventListener("change", () => this.stop());
    this.stop();
    return make("div", { className: "controls" }, this.play, this.slider, this.output);
  }

  scale() {
    const bar = make("i");
    bar.style.background = "linear-gradient(to right, rgb(26,0,173), rgb(92,128,242), #fff, rgb(242,128,92), rgb(173,0,26))";
    const note = make("p", { className: "note" }, "From −1 to 1, in units of the 99.5 % quantile of each heatmap’s |relevance|.");
    const scale = make("div", { className: "scale" }, make("span", {}, "against the class"), bar, make("span", {}, "for it"));
    return make("div", {}, scale, note);
  }

  /** Plays in some six seconds; where motion is not wanted, each press goes a tenth further. */
  start() {
    const from = this.step >= this.last ? 0 : this.step;
    if (media.still.matches) {
      this.go(this.step >= this.last ? 0 : Math.min(this.last, from + Math.ceil(this.last / 10)));
      return;
    }
    this.go(from);
    this.play.textContent = "Pause";
    this.timer = setInterval(() => {
      this.go(this.step + 1);
      if (this.step >= this.last) this.stop();
    }, Math.max(40, 6000 / this.last));
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    this.play.textContent = media.still.matches ? "Next" : "Play";
  }

  async choose(place) {
    const picture = this.pictures[place];
    this.wanted = place;
    const [image, replacement] = await Promise.all([loaded(picture.image), replacementOf(picture)]);
    if (this.wanted !== place) return;  // another one was chosen meanwhile
    this.picture = picture;
    [...this.thumbs.children].forEach((button, other) => button.setAttribute("aria-pressed", String(other === place)));
    this.title.textContent = picture.label ? `${picture.name}: ${picture.label}` : picture.name;
    this.original.src = picture.image;
    this.original.alt = `The picture ${picture.name}, untouched`;
    const regions = picture.regions === null ? {} : this.regions[picture.regions];
    this.cards = picture.walks.map((walk) => new WalkCard(walk, picture, regions, { image, replacement }));
    const beside = this.last ? [] : [make("div", { className: "walk" }, make("h4", {}, "Picture"), this.original)];
    this.grid.replaceChildren(...beside, ...this.cards.map((card) => card.element));
    this.filter();
    this.go(this.step);
  }

  go(step) {
    this.step = Math.max(0, Math.min(this.last, step));
    this.cards.forEach((card) => card.show(this.step));
    if (!this.slider) return;
    this.slider.value = this.step;
    this.output.textContent = `${this.step} of ${this.last} regions removed`;
    this.slider.setAttribute("aria-valuetext", this.output.textContent);
    this.mark();
  }

  filter() {
    this.cards.forEach((card) => { card.element.hidden = isHidden("methods", card.walk.series); });
    this.drawScores();
  }

  /** Where each curve is now. */
  now() {
    const cards = this.cards.filter((card) => card.canvas && !card.element.hidden);
    const places = cards.map((card) => card.scored(this.step));
    return {
      x: cards.map((card, i) => card.walk.at[places[i]]),
      y: cards.map((card, i) => card.walk.scores[places[i]]),
      colours: cards.map((card) => colourOf(card.series)),
    };
  }

  drawScores() {
    if (!this.last || !this.picture) return;
    const traces = this.cards.filter((card) => card.canvas).map(({ walk, series }) => ({
      type: "scatter", mode: "lines", x: walk.at, y: walk.scores, name: series.plotly,
      meta: { series: walk.series, part: "line" }, hovertemplate: "%{y:.3~g}",
    }));
    const { x, y, colours } = this.now();
    const marks = { type: "scatter", mode: "markers", x, y, marker: { color: colours, size: 9, line: { color: themed()("card"), width: 1.5 } }, hoverinfo: "skip", showlegend: false };
    const words = { xaxis: { title: { text: "removed regions" }, range: [0, this.last] }, yaxis: { title: { text: this.unit } }, hovermode: "x unified" };
    const layout = { ...laidOut(words), shapes: [this.line()] };
    this.plot.setAttribute("aria-label", `Scores of ${this.picture.name} while regions are removed, by method.`);
    Plotly.react(this.plot, [...painted(traces, "methods"), marks], layout, plotting);
  }

  line() {
    return { type: "line", x0: this.step, x1: this.step, yref: "paper", y0: 0, y1: 1, line: { color: themed()("soft"), width: 1 } };
  }

  /** Moves the markers, at most once in a frame. */
  mark() {
    if (this.marking) return;
    this.marking = true;
    requestAnimationFrame(() => {
      this.marking = false;
      if (!this.plot.data) return;
      const { x, y } = this.now();
      Plotly.update(this.plot, { x: [x], y: [y] }, { shapes: [this.line()] }, [this.plot.data.length - 1]);
    });
  }
}

function drawWalks() {
  const boxes = [...document.querySelectorAll(".walks")];
  return Promise.all(boxes.map((box, place) => {
    box.dataset.number = place;
    return new Viewer(box, data.walks[place]).choose(0);
  }));
}
