/* One trial of MUSHRA: an open reference, signals in random order, a slider each from 0 to 100. */

const WORDS = ["Bad", "Poor", "Fair", "Good", "Excellent"];
const LEAST_HEARD_S = 0.5;

function wordFor(rating) {
  return WORDS[Math.min(4, Math.floor(rating / 20))];
}

class MushraTrial {
  /* `answer` is kept up to date: {order, ratings, heard_s, switches}; `changed` is called when it is. */
  constructor(player, plan, answer, report, changed) {
    Object.assign(this, { player, answer, report, changed });
    this.order = plan.order;
    this.reference = plan.trial.reference;
    this.names = new Map([[this.reference, "reference"], ...this.order.map((name) => [name, name])]);
  }

  get signals() {
    return [this.reference, ...this.order];
  }

  build(timeline) {
    this.columns = this.order.map((name, index) => this.column(name, index + 1));
    this.referenceButton = html(
      "button",
      { type: "button", class: "listen reference", "aria-pressed": "false", click: () => this.listen("reference") },
      html("span", {}, "Reference"),
      html("kbd", {}, "0")
    );
    const scale = html("div", { class: "scale", "aria-hidden": "true" });
    for (let band = WORDS.length - 1; band >= 0; band--)
      scale.append(html("span", {}, WORDS[band], html("small", {}, `${20 * band}–${20 * band + 20}`)));
    const board = html("div", { class: "board" }, html("div", { class: "column words" }, scale));
    board.append(...this.columns.map((column) => column.node));
    return html(
      "div",
      { class: "trial" },
      timeline.node,
      html("div", { class: "open" }, this.referenceButton, html("p", {}, "How close is each signal to the reference? One of them is the reference itself.")),
      html("div", { class: "scroll" }, board)
    );
  }

  column(name, number) {
    const button = html(
      "button",
      { type: "button", class: "listen", "aria-pressed": "false", "aria-label": `Play signal ${number}`, click: () => this.listen(name) },
      String(number)
    );
    const slider = html("input", { type: "range", min: 0, max: 100, step: 1, value: 0, "aria-label": `Rating of signal ${number}` });
    const value = html("output", {}, "–");
    const bands = html("div", { class: "bands", "aria-hidden": "true" }, ...WORDS.map(() => html("i")));
    const rail = html("div", { class: "rail" }, bands, slider);
    const column = { name, number, button, slider, value, node: html("div", { class: "column" }, value, rail, button) };
    slider.addEventListener("pointerdown", (event) => {
      if (this.mayRate(column)) return;
      event.preventDefault();
      this.listen(name);
    });
    /* A press that does not move the slider rates, too: 0 is where it stands at first. */
    slider.addEventListener("pointerup", () => this.mayRate(column) && this.rate(column, Number(slider.value)));
    slider.addEventListener("input", () => {
      if (this.mayRate(column)) this.rate(column, Number(slider.value));
      else this.show();
    });
    slider.addEventListener("focus", () => {
      if (this.player.active === name) return;
      if (this.player.playing) this.listen(name);
      else this.player.active = name;
    });
    return column;
  }

  /* Seconds that a signal was heard; the reference has its own name. */
  heard(name) {
    return this.answer.heard_s[name] || 0;
  }

  mayRate(column) {
    if (this.heard(column.name) >= LEAST_HEARD_S) return true;
    this.report(`Listen to signal ${column.number} before you rate it.`);
    return false;
  }

  rate(column, rating) {
    this.answer.ratings[column.name] = Math.min(100, Math.max(0, Math.round(rating)));
    this.show();
    this.changed();
  }

  listen(name) {
    if (this.player.active !== name) this.answer.switches += 1;
    this.player.select(name);
    this.show();
  }

  key(event) {
    const digit = "1234567890-=".indexOf(event.key);
    const ten = this.order.length;
    if (event.key === "0" || event.key === "r") this.listen("reference");
    else if (digit >= 0 && digit < 9 && digit < ten) this.focus(this.columns[digit]);
    else if (event.key === "ArrowLeft" || event.key === "ArrowRight") this.step(event.key === "ArrowRight" ? 1 : -1);
    else {
      const step = { ArrowUp: 1, ArrowDown: -1, PageUp: 10, PageDown: -10 }[event.key];
      const column = this.columns.find((one) => one.name === this.player.active);
      if (event.key === "Home" || event.key === "End") {
        if (column && this.mayRate(column)) this.rate(column, event.key === "Home" ? 0 : 100);
      } else if (step === undefined) return false;
      else if (column && this.mayRate(column)) {
        const factor = event.shiftKey ? 5 : 1;
        this.rate(column, (this.answer.ratings[column.name] ?? 0) + step * factor);
      }
    }
    return true;
  }

  focus(column) {
    this.listen(column.name);
    column.slider.focus({ preventScroll: false });
  }

  /* The reference stands left of the first signal. */
  step(by) {
    const at = this.columns.findIndex((column) => column.name === this.player.active);
    const to = Math.min(Math.max(at + by, -1), this.columns.length - 1);
    if (to < 0) this.listen("reference");
    else this.focus(this.columns[to]);
  }

  show() {
    const active = this.player.active;
    this.referenceButton.setAttribute("aria-pressed", String(active === "reference"));
    this.referenceButton.classList.toggle("heard", this.heard("reference") >= LEAST_HEARD_S);
    for (const { name, button, slider, value, node } of this.columns) {
      const rating = this.answer.ratings[name];
      const rated = rating !== undefined;
      button.setAttribute("aria-pressed", String(active === name));
      node.classList.toggle("active", active === name);
      node.classList.toggle("heard", this.heard(name) >= LEAST_HEARD_S);
      node.classList.toggle("rated", rated);
      if (Number(slider.value) !== (rated ? rating : 0)) slider.value = rated ? rating : 0;
      const text = rated ? `${rating}, ${wordFor(rating)}` : "not rated yet";
      if (slider.getAttribute("aria-valuetext") !== text) {
        slider.setAttribute("aria-valuetext", text);
        value.textContent = rated ? String(rating) : "–";
        value.title = rated ? wordFor(rating) : "not rated yet";
      }
    }
  }

  /* What is still to be done before the next trial; "" where nothing is. */
  missing() {
    if (this.heard("reference") < LEAST_HEARD_S) return "Listen to the reference.";
    const unrated = this.columns.filter(({ name }) => this.answer.ratings[name] === undefined);
    if (unrated.length) return `Still to be rated: ${unrated.map(({ number }) => number).join(", ")}.`;
    return "";
  }

  hint() {
    const best = Math.max(...Object.values(this.answer.ratings));
    return best < 100 ? "No signal is rated 100, though one of them is the reference itself." : "";
  }

  result() {
    return { order: this.order, ratings: this.answer.ratings };
  }
}
