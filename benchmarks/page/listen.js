// What can be heard: a clip, its versions, their pictures and their scores.

const REFERENCE = "Reference";

const makeListening = (data, shared) => {
  const facts = new Map(data.metrics.map((metric) => [metric.name, metric]));
  let clip = null;
  let last = null; // the codec that was heard before the reference, or the other way round
  let heads = []; // the playheads of the pictures that are shown
  let ticking = false;

  const player = makePlayer(() => refresh());

  const heard = () => clip.versions.filter((version) => version.file !== undefined);
  const keyOf = (place) => (place <= 9 ? String(place) : "");
  const reasonsOf = (each) => each.reasons.map(([word, metric]) => `${word} ${facts.get(metric).label}`).join(", ");

  if (!data.clips.length) {
    section("listen", "Listen", html("p", {}, "No clip was asked for: the page was made with --listen 0."));
    return { player, open: () => {}, has: () => false };
  }

  const status = html("p", { class: "status", role: "status" });
  const playButton = html("button", { type: "button", class: "play", click: () => toggle() }, "Play");
  const bar = html("input", {
    type: "range",
    min: 0,
    max: 1,
    step: 0.001,
    value: 0,
    "aria-label": "Position",
    input: () => player.seek(Number(bar.value)),
  });
  const time = html("output", { class: "time" });
  const looping = html("input", { type: "checkbox", change: () => player.setLoop(looping.checked) });
  const body = html("div", {});

  const report = (promise) =>
    Promise.resolve(promise).then(
      () => {
        status.textContent = "";
      },
      (error) => {
        status.textContent = `This clip cannot be played: ${error.message || error.name}.`;
      },
    );

  const toggle = () => {
    if (!clip || clip.missing) return;
    if (!player.isPlaying()) status.textContent = "decoding …";
    report(player.toggle());
  };

  const choose = (wanted) => {
    if (wanted === player.current()) return;
    last = player.current();
    player.choose(wanted);
    if (wanted !== REFERENCE) shared.set({ codec: wanted });
  };

  const picture = (version, small) => {
    const head = html("div", { class: "head" });
    if (!small) heads.push(head);
    const place = (event) => {
      const box = event.currentTarget.getBoundingClientRect();
      player.seek(((event.clientX - box.left) / box.width) * clip.seconds);
    };
    const ticks = small
      ? []
      : clip.axis.map((tick) => {
          const made = html("span", { class: "hz" }, tick.hz >= 1000 ? `${tick.hz / 1000} kHz` : `${tick.hz} Hz`);
          made.style.bottom = `${100 * tick.height}%`;
          return made;
        });
    const image = html("img", { alt: `Spectrogram of ${version.name}`, draggable: "false" });
    image.src = version.spectrogram;
    return html(
      "figure",
      { class: small ? "spectrogram small" : "spectrogram", "data-version": version.name },
      html("figcaption", {}, breakable(version.name)),
      html(
        "div",
        { class: "frame", click: small ? () => choose(version.name) : place },
        image,
        ticks,
        small ? null : head,
      ),
    );
  };

  const versionRow = (version, place, metrics) => {
    if (version.file === undefined) {
      return html(
        "tr",
        { class: "missing" },
        html("td", {}, ""),
        html("th", { scope: "row" }, version.name),
        html("td", { colspan: 2 + metrics.length }, `not heard: ${version.missing}`),
      );
    }
    const radio = html("input", {
      type: "radio",
      name: "version",
      id: `version-${place}`,
      checked: version.name === player.current(),
      change: () => choose(version.name),
    });
    radio.value = version.name;
    const family =
      place === 0 ? null : data.groups.flatMap((group) => group.rows).find((row) => row.codec === version.name)?.family;
    const hints = [version.how, version.checked, version.note];
    return html(
      "tr",
      {
        "data-version": version.name,
        title: hints.filter(Boolean).join("\n"),
        click: (event) => event.target.tagName === "TD" && choose(version.name),
      },
      html("td", { class: "key" }, keyOf(place) ? html("kbd", {}, keyOf(place)) : null),
      html(
        "th",
        { scope: "row" },
        html(
          "label",
          { for: radio.id },
          radio,
          family ? badge(data.styles[family]) : null,
          html("span", {}, breakable(version.name)),
        ),
      ),
      html(
        "td",
        { class: "number" },
        gainText(version),
        version.note ? html("span", { class: "mark", "aria-label": version.note }, " !") : null,
      ),
      html("td", { class: "number" }, delayText(version.delayMs)),
      metrics.map((metric) => {
        const text = version.scores[metric] ?? "–";
        return text.includes(":")
          ? html("td", { class: "number none", title: text }, text.split(":")[0])
          : html("td", { class: "number" }, text);
      }),
    );
  };

  const drawPictures = () => {
    const shown = body.querySelector(".pictures");
    if (!shown) return;
    heads = [];
    const versions = heard();
    const own = versions.find((version) => version.name === player.current());
    const pair = own.name === REFERENCE ? [own] : [versions[0], own];
    shown.replaceChildren(...pair.map((version) => picture(version, false)));
  };

  const drawClip = () => {
    if (clip.missing) {
      body.replaceChildren(html("p", { class: "empty" }, `This clip is not heard: ${clip.missing}.`));
      return;
    }
    const metrics = data.groups.find((group) => group.name === clip.group).metrics;
    let place = -1;
    const rows = clip.versions.map((version) =>
      versionRow(version, version.file === undefined ? null : (place += 1), metrics),
    );
    body.replaceChildren(
      html("div", { class: "pictures" }),
      html(
        "div",
        { class: "scroller", tabindex: 0, role: "region", "aria-label": "Versions of this clip" },
        html(
          "table",
          { class: "versions" },
          html(
            "thead",
            {},
            html(
              "tr",
              {},
              html("th", { scope: "col" }, "Key"),
              html("th", { scope: "col" }, "Version"),
              html("th", { scope: "col", class: "number" }, "Gain"),
              html("th", { scope: "col", class: "number", title: "behind the reference" }, "Delay"),
              metrics.map((name) =>
                html(
                  "th",
                  { scope: "col", class: "number", title: facts.get(name).description },
                  `${facts.get(name).label} ${facts.get(name).higher ? "↑" : "↓"}`,
                ),
              ),
            ),
          ),
          html("tbody", {}, rows),
        ),
      ),
      html(
        "ul",
        { class: "notes" },
        clipNotes(clip, data.listening).map((note) => html("li", {}, note)),
      ),
      html(
        "details",
        { class: "all" },
        html("summary", {}, "All spectrograms of this clip"),
        html(
          "div",
          { class: "grid" },
          heard().map((version) => picture(version, true)),
        ),
      ),
    );
    bar.max = clip.seconds;
    drawPictures();
  };

  const tick = () => {
    const share = clip && clip.seconds ? player.position() / clip.seconds : 0;
    for (const head of heads) head.style.left = `${Math.min(100, 100 * share)}%`;
    if (document.activeElement !== bar || player.isPlaying()) bar.value = player.position();
    bar.setAttribute("aria-valuetext", clock(player.position()));
    time.textContent = `${clock(player.position())} / ${clock(clip?.seconds ?? 0)}`;
    ticking = player.isPlaying();
    if (ticking) requestAnimationFrame(tick);
  };

  const refresh = () => {
    playButton.textContent = player.isPlaying() ? "Pause" : "Play";
    for (const row of body.querySelectorAll("tr[data-version]")) {
      const chosen = row.dataset.version === player.current();
      row.classList.toggle("selected", chosen);
      const radio = row.querySelector("input");
      if (radio.checked !== chosen) radio.checked = chosen;
    }
    const shown = [...body.querySelectorAll(".pictures figure")].at(-1)?.dataset.version;
    if (clip && !clip.missing && shown !== undefined && shown !== player.current()) drawPictures();
    if (!ticking) tick();
  };

  const open = (number) => {
    clip = data.clips[number];
    last = null;
    const wanted = clip.versions.find((version) => version.name === shared.values.codec && version.file !== undefined);
    player.open(clip, wanted ? wanted.name : REFERENCE);
    status.textContent = "";
    playButton.disabled = Boolean(clip.missing);
    bar.disabled = Boolean(clip.missing);
    chooser.value = String(number);
    drawClip();
    refresh();
  };

  const step = (by) => open((data.clips.indexOf(clip) + by + data.clips.length) % data.clips.length);
  const title = (each) =>
    [each.name, data.groups.length > 1 ? each.group : "", reasonsOf(each), each.missing ? "not heard" : ""]
      .filter(Boolean)
      .join(" · ");
  const chooser = select(
    data.clips.map((each, number) => [String(number), title(each)]),
    "0",
    (value) => open(Number(value)),
  );

  const nearby = (by) => {
    const names = heard().map((version) => version.name);
    choose(names[(names.indexOf(player.current()) + by + names.length) % names.length]);
  };

  // Keys work while the focus is in this part, but not where an element has a use of its own for them.
  const keys = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !clip || clip.missing) return;
    const target = event.target;
    const own =
      target.matches("select, summary") || (target.matches("button, input[type=checkbox]") && event.key === " ");
    if (own) return;
    const versions = heard();
    const arrows = !target.matches("input");
    const actions = {
      " ": toggle,
      b: () =>
        choose(
          player.current() === REFERENCE
            ? last && last !== REFERENCE
              ? last
              : (versions[1]?.name ?? REFERENCE)
            : REFERENCE,
        ),
      l: () => {
        looping.checked = !looping.checked;
        player.setLoop(looping.checked);
      },
      n: () => step(1),
      p: () => step(-1),
    };
    if (arrows)
      Object.assign(actions, {
        ArrowLeft: () => player.seek(player.position() - 1),
        ArrowRight: () => player.seek(player.position() + 1),
        ArrowUp: () => nearby(-1),
        ArrowDown: () => nearby(1),
      });
    const action = /^[0-9]$/.test(event.key)
      ? versions[Number(event.key)] && (() => choose(versions[Number(event.key)].name))
      : actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return;
    event.preventDefault();
    action();
  };

  const help = [
    ["Space", "play, pause"],
    ["0", "reference"],
    ["1–9", "codecs"],
    ["B", "reference and back"],
    ["← →", "1 s"],
    ["↑ ↓", "version"],
    ["L", "loop"],
    ["N P", "next, previous clip"],
  ];
  section(
    "listen",
    "Listen",
    html("div", { class: "controls" }, labelled("Clip", chooser)),
    html(
      "div",
      { class: "transport" },
      playButton,
      bar,
      time,
      html("label", { class: "field check" }, looping, html("span", {}, "loop")),
    ),
    status,
    html(
      "p",
      { class: "keys" },
      help.map(([key, text]) => html("span", {}, html("kbd", {}, key), ` ${text}`)),
    ),
    body,
  );
  byId("listen").tabIndex = -1;
  byId("listen").addEventListener("keydown", keys);

  shared.listen((changed) => {
    if (!changed.includes("codec") || !clip || clip.missing) return;
    const wanted = heard().find((version) => version.name === shared.values.codec);
    if (wanted) choose(wanted.name);
  });
  const firstHeard = data.clips.findIndex((each) => !each.missing);
  open(Math.max(0, firstHeard));

  return {
    player,
    open: (id, codec) => {
      const number = data.clips.findIndex((each) => each.id === id);
      if (number < 0) return;
      open(number);
      if (heard().some((version) => version.name === codec)) choose(codec);
      byId("listen").scrollIntoView({ behavior: "auto" });
      byId("listen").focus({ preventScroll: true });
    },
    has: (id) => data.clips.some((each) => each.id === id && !each.missing),
  };
};
