/* One trial of ABX: X is A or B, and the listener says which. */

class AbxTrial {
  constructor(player, plan, answer, report, changed) {
    Object.assign(this, { player, answer, report, changed });
    [this.a, this.b, this.x] = plan.order;
    this.names = new Map(this.signals.map((name) => [name, name]));
  }

  get signals() {
    return [this.a, this.b, this.x];
  }

  build(timeline) {
    this.listens = [["A", this.a], ["B", this.b], ["X", this.x]].map(([letter, name], index) => ({
      letter,
      name,
      button: html(
        "button",
        { type: "button", class: "listen big", "aria-pressed": "false", "aria-label": `Play ${letter}`, click: () => this.listen(name) },
        html("span", {}, letter),
        html("kbd", {}, String(index + 1))
      ),
    }));
    this.choices = ["a", "b"].map((choice) => ({
      choice,
      button: html(
        "button",
        { type: "button", class: "choice", role: "radio", "aria-checked": "false", click: () => this.choose(choice) },
        `X is ${choice.toUpperCase()}`,
        html("kbd", {}, choice === "a" ? "←" : "→")
      ),
    }));
    return html(
      "div",
      { class: "trial" },
      timeline.node,
      html("div", { class: "abx" }, ...this.listens.map(({ button }) => button)),
      html("p", { class: "question", id: "question" }, "X is the same as A or the same as B. Which?"),
      html("div", { class: "abx", role: "radiogroup", "aria-labelledby": "question" }, ...this.choices.map(({ button }) => button))
    );
  }

  heard(name) {
    return this.answer.heard_s[name] || 0;
  }

  listen(name) {
    if (this.player.active !== name) this.answer.switches += 1;
    this.player.select(name);
    this.show();
  }

  unheard() {
    return this.listens.filter(({ name }) => this.heard(name) < LEAST_HEARD_S).map(({ letter }) => letter);
  }

  choose(choice) {
    const left = this.unheard();
    if (left.length) {
      this.report(`Listen to ${left.join(", ")} before you answer.`);
      return;
    }
    this.answer.answer = choice;
    this.show();
    this.changed();
  }

  key(event) {
    const letter = event.key.toLowerCase();
    const at = Math.max("123".indexOf(letter), "abx".indexOf(letter));
    if (letter.length === 1 && at >= 0) this.listen(this.listens[at].name);
    else if (event.key === "ArrowLeft") this.choose("a");
    else if (event.key === "ArrowRight") this.choose("b");
    else return false;
    return true;
  }

  show() {
    for (const { name, button } of this.listens) {
      button.setAttribute("aria-pressed", String(this.player.active === name));
      button.classList.toggle("heard", this.heard(name) >= LEAST_HEARD_S);
    }
    for (const { choice, button } of this.choices) button.setAttribute("aria-checked", String(this.answer.answer === choice));
  }

  missing() {
    const left = this.unheard();
    if (left.length) return `Still to be heard: ${left.join(", ")}.`;
    return this.answer.answer ? "" : "Say whether X is A or B.";
  }

  hint() {
    return "";
  }

  result() {
    return { a: this.a, b: this.b, x: this.x, answer: this.answer.answer };
  }
}
