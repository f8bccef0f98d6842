/* The way through the test: who listens, training, trials, the file at the end. */

const HELP = {
  mushra: [
    "You compare signals with a <b>reference</b>. Rate each by how close it is to the reference, from 0 to 100: <b>Excellent</b> (80–100), <b>Good</b> (60–80), <b>Fair</b> (40–60), <b>Poor</b> (20–40), <b>Bad</b> (0–20).",
    "In every trial one signal <b>is</b> the reference and should get 100. Use as much of the scale for the others as they ask for.",
    "Switch between signals as often as you like, at any moment: the sound goes on at the same place. Drag over the waveform to loop a part of it.",
  ],
  abx: [
    "You hear <b>A</b>, <b>B</b> and <b>X</b>. X is the same as one of the two; say which. Where you cannot tell, guess: you must choose one.",
    "Switch between them as often as you like, at any moment: the sound goes on at the same place. Drag over the waveform to loop a part of it.",
  ],
};
const KEYS = {
  mushra: [["0", "reference"], ["1 – 9, ← →", "signals"], ["↑ ↓", "rate by 1 (Shift: 5, Page: 10)"], ["space", "play, pause"], ["[ ]", "loop from, to here"], ["Enter", "next"]],
  abx: [["1 2 3", "A, B, X"], ["← →", "X is A, X is B"], ["space", "play, pause"], ["[ ]", "loop from, to here"], ["Enter", "next"]],
};
const TRIALS = { mushra: MushraTrial, abx: AbxTrial };

class ListeningTest {
  constructor(test) {
    this.test = test;
    this.player = new Player();
    this.progress = new Progress(test);
    this.screen = document.getElementById("screen");
    this.status = document.getElementById("status");
    document.getElementById("name").textContent = test.title;
    document.addEventListener("keydown", (event) => this.key(event));
    /* After a click with the mouse, space and Enter are those of the page again, not of the button that was clicked. */
    document.addEventListener("click", (event) => event.detail > 0 && event.target.closest("button")?.blur());
    this.player.onTick = () => this.tick();
  }

  /* A message, long enough to be read. */
  report(text) {
    this.status.textContent = text;
    clearTimeout(this.cleared);
    this.cleared = setTimeout(() => { this.status.textContent = ""; }, 8000);
  }

  show(where, ...nodes) {
    document.getElementById("progress").textContent = where;
    this.report("");
    this.screen.replaceChildren(...nodes);
    this.screen.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }

  intro() {
    this.leave();
    const form = html("form", { class: "card" });
    const name = html("input", { id: "listener", required: true, maxlength: 40, pattern: "[A-Za-z0-9][A-Za-z0-9._\\-]*", autocomplete: "off", spellcheck: "false" });
    const playback = html("select", { id: "playback" }, html("option", { value: "headphones" }, "Headphones"), html("option", { value: "loudspeakers" }, "Loudspeakers"));
    form.append(
      html("h1", {}, this.test.title),
      ...HELP[this.test.kind].map((text) => {
        const paragraph = html("p");
        paragraph.innerHTML = text;
        return paragraph;
      }),
      this.keys(),
      html("label", { for: "listener" }, "Your listener ID ", html("small", {}, "letters, digits, dots, dashes or underscores; not your name")),
      name,
      html("label", { for: "playback" }, "You listen with"),
      playback,
      html("button", { class: "primary", type: "submit" }, this.test.training ? "Go to the training" : "Begin"),
      html("p", { class: "small" }, `${this.test.per_listener} trials${this.test.training ? " after one for training" : ""}. Nothing is sent anywhere: your answers stay in this browser until you save them as a file at the end. You may close the page and go on later.`)
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.begin(name.value.trim(), playback.value);
    });
    const known = this.progress.listeners().map((state) => {
      const done = state.finished ? "finished" : `${state.trials.length} of ${this.test.per_listener} trials done`;
      return html("button", { type: "button", class: "resume", click: () => this.resume(state) }, `Go on as ${state.listener} (${done})`);
    });
    if (known.length) this.show("", html("section", { class: "card" }, html("h2", {}, "Begun in this browser"), ...known), form);
    else this.show("", form);
  }

  keys() {
    const list = html("ul", { class: "keys", "aria-label": "Keys" });
    for (const [key, what] of KEYS[this.test.kind]) list.append(html("li", {}, html("kbd", {}, key), " ", what));
    return list;
  }

  begin(listener, playback) {
    const known = this.progress.load(listener);
    if (known) {
      this.resume(known);
      return;
    }
    const state = { listener, playback, started: new Date().toISOString(), trained: !this.test.training, trials: [], comment: "", volume: 1 };
    if (!this.progress.save(state)) {
      this.report("This browser keeps nothing for this page (a private window?): open it in an ordinary one, so that no answer is lost.");
      return;
    }
    this.resume(state);
  }

  resume(state) {
    this.state = state;
    this.plan = planFor(this.test, state.listener);
    this.player.setVolume(state.volume ?? 1);
    this.next();
  }

  next() {
    const { state, plan } = this;
    if (state.finished) this.end();
    else if (!state.trained) this.training();
    else if (state.trials.length < plan.trials.length) {
      const place = state.trials.length + 1;
      this.trial(plan.trials[place - 1], `Trial ${place} of ${plan.trials.length}`, place === plan.trials.length ? "Finish" : "Next trial", (answer) => {
        state.trials.push({ trial: plan.trials[place - 1].trial.id, place, ...answer });
        if (place === plan.trials.length) state.finished = new Date().toISOString();
      });
    } else this.end();
  }

  training() {
    const plan = laidOut(this.test.kind, this.test.training, numbersFrom(this.plan.seed + 1));
    const volume = html("input", { type: "range", min: 0, max: 100, value: Math.round(100 * (this.state.volume ?? 1)), id: "volume" });
    volume.addEventListener("input", () => {
      this.state.volume = volume.value / 100;
      this.player.setVolume(this.state.volume);
    });
    const words = html(
      "section",
      { class: "card training" },
      html("h2", {}, "Training"),
      html("p", {}, "Try everything: nothing here counts. Set the volume so that it is comfortable, here or on your device, and leave it there during the test."),
      html("label", { for: "volume" }, "Volume"),
      volume
    );
    this.trial(plan, "Training", "Begin the test", () => { this.state.trained = true; }, words);
  }

  async trial(plan, where, onwards, done, words) {
    this.leave();
    const state = this.state;
    const answer = state.current ?? { ratings: {}, heard_s: {}, switches: 0, seconds: 0 };
    state.current = answer;
    this.show(where, html("p", { class: "card" }, "Loading the audio …"));
    const made = new TRIALS[this.test.kind](this.player, plan, answer, (text) => this.report(text), () => this.keep());
    let samples;
    try {
      samples = await signalsOf(made.signals);
    } catch (error) {
      this.show(where, html("p", { class: "card" }, error.message));
      return;
    }
    const named = new Map(made.signals.map((signal) => [made.names.get(signal), samples.get(signal)]));
    this.player.load(named, plan.trial.rate_hz, answer.heard_s);
    const drawn = samples.get(made.signals[0]);
    const timeline = new Timeline(this.player, drawn, (text) => this.report(text));
    const missing = html("span", { class: "missing" });
    const next = html("button", { type: "button", class: "primary", id: "next" }, onwards);
    next.addEventListener("click", () => {
      const left = made.missing();
      if (left) {
        this.report(left);
        return;
      }
      if (made.hint() && !answer.reminded) {
        answer.reminded = true;
        this.report(made.hint() + " Go on once more if that is what you mean.");
        return;
      }
      this.leave();
      done({ ...made.result(), heard_s: rounded(answer.heard_s), switches: answer.switches, seconds: Math.round(10 * answer.seconds) / 10 });
      delete state.current;
      this.progress.save(state);
      this.next();
    });
    this.show(where, ...(words ? [words] : []), made.build(timeline), html("footer", { class: "onwards" }, missing, next));
    this.now = { made, timeline, missing, next, answer, since: performance.now() };
    this.tick();
  }

  /* Time counts while the page is seen. */
  tick() {
    if (!this.now) return;
    const { made, timeline, missing, next, answer, since } = this.now;
    const time = performance.now();
    if (document.visibilityState === "visible") answer.seconds += Math.min(1, (time - since) / 1000);
    this.now.since = time;
    timeline.draw();
    made.show();
    const left = made.missing();
    const text = left || made.hint();
    if (missing.textContent !== text) missing.textContent = text;
    next.setAttribute("aria-disabled", String(Boolean(left)));
    if (Math.floor(time / 2000) !== Math.floor(since / 2000)) this.keep();
  }

  keep() {
    if (!this.progress.save(this.state)) this.report("This browser no longer keeps your answers: do not close the page.");
  }

  leave() {
    this.player.stop();
    this.now = null;
  }

  end() {
    this.leave();
    const { state } = this;
    const comment = html("textarea", { id: "comment", maxlength: 2000, rows: 4 });
    comment.value = state.comment;
    comment.addEventListener("input", () => {
      state.comment = comment.value;
      this.keep();
    });
    const save = html("button", { type: "button", class: "primary", id: "download" }, "Save my answers");
    save.addEventListener("click", () => {
      download(`answers-${this.test.id}-${state.listener}.json`, JSON.stringify(this.answers(), null, 1) + "\n");
      this.report("The file is among your downloads: hand it to the person who runs this test.");
    });
    this.show(
      "Done",
      html(
        "section",
        { class: "card" },
        html("h1", {}, "Thank you"),
        html("p", {}, `All ${state.trials.length} trials are answered. Save your answers as a file and hand it to the person who runs this test.`),
        html("label", { for: "comment" }, "Anything to remark?"),
        comment,
        save,
        html("p", { class: "small" }, "The answers stay in this browser, so that you can save them again."),
        html("button", { type: "button", click: () => this.intro() }, "To the first page, for another listener")
      )
    );
  }

  answers() {
    const { id, sha256, kind } = this.test;
    const { listener, started, finished, playback, comment, trials } = this.state;
    return {
      format: "codeczoo-listening-answers",
      version: 1,
      test: { id, sha256, kind },
      listener,
      seed: this.plan.seed,
      started,
      finished,
      playback,
      comment,
      trials,
    };
  }

  key(event) {
    const now = this.now;
    if (!now || event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target;
    if (target.id === "volume" || target.tagName === "TEXTAREA" || target.tagName === "SELECT") return;
    /* Space and Enter press the button that has the focus; anywhere else they play and go on. */
    const onButton = target.tagName === "BUTTON";
    if (event.key === " " && !onButton) now.timeline.toggle();
    else if (event.key === "Enter" && !onButton) now.next.click();
    else if (event.key === "[") now.timeline.mark(0);
    else if (event.key === "]") now.timeline.mark(1);
    else if (!now.made.key(event)) return;
    event.preventDefault();
  }
}

function rounded(seconds) {
  return Object.fromEntries(Object.entries(seconds).map(([name, value]) => [name, Math.round(100 * value) / 100]));
}

const listening = new ListeningTest(JSON.parse(document.getElementById("test").textContent));
listening.intro();
